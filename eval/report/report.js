// Filters the questions, and builds the passages of one when it is opened. Whatever is shown is set as text.
(() => {
  "use strict";
  const list = document.getElementById("list");
  const form = document.getElementById("filters");
  const count = document.getElementById("count");
  const questions = [...list.children];
  const places = new Map(questions.map((question, place) => [question, place]));
  const texts = new WeakMap();
  let data;

  function element(tag, name, ...children) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.append(...children.filter((child) => child !== ""));
    return made;
  }

  function textOf(question) {
    if (!texts.has(question)) texts.set(question, question.textContent.toLowerCase());
    return texts.get(question);
  }

  function filter() {
    const { text, ...wanted } = Object.fromEntries(new FormData(form));
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = Object.entries(wanted).filter(([, value]) => value);
    let shown = 0;
    for (const question of questions) {
      const fits =
        chosen.every(([by, value]) => question.dataset[by] === value) &&
        words.every((word) => textOf(question).includes(word));
      question.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${questions.length}`;
    document.getElementById("empty").hidden = shown > 0;
  }

  // Spans count code points, which JavaScript's own offsets do not.
  function marked(text, spans) {
    const characters = Array.from(text);
    const parts = [];
    let reached = 0;
    for (const [start, end] of spans) {
      parts.push(characters.slice(reached, start).join(""));
      parts.push(element("mark", "", characters.slice(start, end).join("")));
      reached = end;
    }
    parts.push(characters.slice(reached).join(""));
    return parts;
  }

  function passage([name, place, relevant, spans], rank) {
    const body = place < 0 ? ["The text is not at hand."] : marked(data.texts[place], spans);
    const title = element("b", "", name);
    title.dir = "auto";
    const signs = element("small", "");
    if (relevant) signs.append(element("span", "good", "relevant"));
    if (spans.length) signs.append(element("span", "", "quoted"));
    const text = element("p", place < 0 ? "note" : "extract", ...body);
    text.dir = "auto";
    const summary = element("summary", "", element("span", "rank", String(rank + 1)), title, signs);
    const made = element("details", "passage", summary, text);
    made.open = spans.length > 0 || relevant;
    return made;
  }

  function open(question) {
    const found = question.querySelector(".found");
    if (found.dataset.built) return;
    found.dataset.built = "yes";
    data ??= JSON.parse(document.getElementById("passages").textContent);
    const rows = data.rows[places.get(question)];
    if (rows.length) {
      found.prepend(element("h4", "", "Passages found"), ...rows.map(passage));
    }
  }

  // "toggle" does not bubble, but it can be caught on its way down.
  list.addEventListener(
    "toggle",
    (event) => {
      if (event.target.open && places.has(event.target)) open(event.target);
    },
    true,
  );
  for (const question of questions) if (question.open) open(question); // a page come back to
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter(); // the browser may have kept what was typed
})();
