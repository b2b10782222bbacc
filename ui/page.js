// What a browser must do for the page: markers and quotes lead to each other, and a new question comes to the top.
// Runs once, as the `js_on_load` of the page's head. It reads only ids and hrefs that markup.py wrote.

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const fonte = element.closest("#fonte"); // Gradio hands over `element`; what stands below may not be there yet

function show(target) {
  target.closest("details")?.setAttribute("open", "");
  target.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
  target.focus({ preventScroll: true });
  target.classList.remove("flash");
  void target.offsetWidth; // restarts the animation
  target.classList.add("flash");
}

function quoteOf(marker) {
  return document.getElementById(marker.getAttribute("href")?.slice(1) ?? "");
}

function markerOf(back) {
  const quote = back.nextElementSibling;
  return fonte.querySelector(`a.marker[href="#${quote.id}"]`);
}

fonte.addEventListener("click", (event) => {
  const marker = event.target.closest("a.marker");
  if (!marker) return;
  const target = marker.classList.contains("back") ? markerOf(marker) : quoteOf(marker);
  if (!target) return;
  event.preventDefault();
  show(target);
});

for (const [begin, end] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  for (const type of [begin, end]) {
    fonte.addEventListener(type, (event) => {
      const marker = event.target.closest("a.marker:not(.back)");
      if (marker) quoteOf(marker)?.classList.toggle("lit", type === begin);
    });
  }
}

let turn = "";
new MutationObserver(() => {
  const question = fonte.querySelector("#reply .question")?.id ?? "";
  if (turn && question && question !== turn) {
    requestAnimationFrame(() => fonte.querySelector("#now").scrollIntoView({ block: "start" }));
  }
  turn = question;
}).observe(fonte, { childList: true, subtree: true, attributes: true, attributeFilter: ["id"] });
