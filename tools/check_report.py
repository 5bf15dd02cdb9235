"""Looks at the page of `clipkit verify --report` in headless Chromium, where there is one.

For narrow and wide windows in light and dark: everything is drawn, nothing is wider than the window, words stand out from
what is behind them, and hostile names are words. Part of tools/check_peers.py; by itself:

    .build/python/bin/python tools/check_report.py CLIPKIT
"""
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "Fixtures/golden"
HOSTILE = "</style><script>document.title='taken'</script><b>&amp;"

# What a page says of itself, as the text of an element that is added to it.
MEASURE = """
<script>
const luminance = color => {
  const parts = color.match(/[\\d.]+/g).slice(0, 3).map(value => value / 255)
    .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
const style = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
const contrast = color => {
  const [high, low] = [luminance(color), luminance(style('body', 'backgroundColor'))].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};
const boxes = [...document.querySelectorAll('circle, rect.images, rect.texts, img')].map(e => e.getBoundingClientRect());
const result = document.createElement('pre');
result.id = 'measured';
result.textContent = JSON.stringify({
  title: document.title, wide: document.documentElement.scrollWidth - window.innerWidth,
  dark: matchMedia('(prefers-color-scheme: dark)').matches,
  circles: document.querySelectorAll('circle').length, bars: document.querySelectorAll('rect.images, rect.texts').length,
  pictures: [...document.querySelectorAll('img')].map(image => image.complete && image.naturalWidth),
  empty: boxes.filter(box => box.width < 1 || box.height < 1).length, bold: document.querySelectorAll('main b').length,
  caption: document.querySelector('figcaption bdi').textContent, svg: document.querySelector('svg').textContent,
  contrast: [style('h1', 'color'), style('p', 'color'), style('td', 'color'), style('svg text', 'fill')].map(contrast)});
document.body.append(result);
</script>
"""


def browser():
    return shutil.which("chromium") or shutil.which("chromium-browser")


def write_hostile(path):
    """A made-up golden file with names that are markup."""
    data = (GOLDEN / path.name).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    said = header["__metadata__"]
    said["clipkit.images"] = json.dumps([HOSTILE] * 9)
    said["clipkit.prompts"] = json.dumps([HOSTILE] * 7)
    said["clipkit.model"] = HOSTILE
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size:])


def measured(page, folder, width, dark):
    """What the page measures of itself in a window of that width."""
    loose = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    harness = folder / "harness.html"
    harness.write_text(loose.replace("</body>", MEASURE + "</body>"))
    done = subprocess.run(
        [browser(), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
         f"--window-size={width},1200", *(["--force-dark-mode"] if dark else []), "--dump-dom", harness.as_uri()],
        capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.S)
    assert found, f"no measurements: {done.stderr[-2000:]}"
    return json.loads(html.unescape(found[1]))


def check_page(clipkit):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = [folder / f"scores-{side}.safetensors" for side in ("candidate", "reference")]
        for file in files:
            write_hostile(file)
        done = subprocess.run([clipkit, "verify", files[0], "--reference", files[1], "--report", folder / "report.html",
                               "--json"], capture_output=True, text=True)
        assert done.returncode == 1, done.stderr
        page = (folder / "report.html").read_text()
        assert len(page) < 1_000_000 and "http:" not in page and "https:" not in page and "url(" not in page
        stages = len(json.loads(done.stdout)["stages"])
        for width in (500, 1400):
            for dark in (False, True):
                found = measured(page, folder, width, dark)
                assert found["dark"] == dark, found
                assert found["wide"] <= 0, f"{found['wide']} pixels wider than the window of {width}"
                assert found["circles"] == stages and found["bars"] >= 4 and found["empty"] == 0, found
                assert found["pictures"] == [1] * 6, found["pictures"]
                assert found["title"] == f"Departs: {HOSTILE}" and found["bold"] == 0, found["title"]
                assert found["caption"] == HOSTILE and "image.blocks.0" in found["svg"], found["caption"]
                assert np.min(found["contrast"]) >= 4.5, f"contrast {found['contrast']} in {'dark' if dark else 'light'}"


def planned(checks):
    if browser():
        yield "page of verify in Chromium", check_page, checks.clipkit
    else:
        print("no Chromium here: the page of verify is not looked at", file=sys.stderr)


if __name__ == "__main__":
    if not browser():
        sys.exit("no Chromium here")
    check_page(pathlib.Path(sys.argv[1]).resolve())
    print("the page of verify is as it must be")
