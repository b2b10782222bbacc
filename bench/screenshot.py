"""How does the page look? `python bench/screenshot.py URL OUT.png [--ask QUESTION]` saves a picture of it."""

import argparse
import shutil

from playwright.sync_api import sync_playwright


def main() -> None:
    """Open the page in the system's Chromium, ask, wait for the answer, save the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("out")
    parser.add_argument("--ask", help="a question to ask first")
    parser.add_argument("--size", default="1440x900")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--locale", default="en-GB")
    parser.add_argument("--timeout-s", type=float, default=120)
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": width, "height": height},
            locale=options.locale,
            color_scheme="dark" if options.dark else "light",
        )
        page.set_default_timeout(options.timeout_s * 1000)
        page.goto(options.url)
        page.wait_for_selector("#head header")
        if options.ask:
            page.fill("#box textarea", options.ask)
            page.press("#box textarea", "Enter")
            page.wait_for_selector("#reply :is(.timings, .note)")
        page.wait_for_timeout(300)  # for the last fade
        page.screenshot(path=options.out)
        browser.close()


if __name__ == "__main__":
    main()
