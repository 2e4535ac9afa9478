// Line numbers beside a textarea. Text goes to Python with the first key, then once in a while.
const PAUSE_MS = 250;

export default function ({ parentElement, data, setStateValue }) {
  const editor = parentElement.querySelector(".editor");
  const gutter = editor.querySelector(".gutter");
  const area = editor.querySelector("textarea");
  editor.style.height = `${data.height}px`;
  area.setAttribute("aria-label", data.label);
  area._send = setStateValue;

  const number = () => {
    const count = area.value.split("\n").length;
    const lines = [];
    for (let line = 1; line <= count; line++) {
      const row = document.createElement("div");
      const why = area._marks[line];
      row.textContent = why ? `! ${line}` : `${line}`;
      if (why) { row.className = "wrong"; row.title = why; }
      lines.push(row);
    }
    gutter.replaceChildren(...lines);
    gutter.scrollTop = area.scrollTop;
  };

  if (area._version === undefined) {
    const send = () => {
      area._pending = false;
      area._send("edited", { text: area.value, version: area._version });
      clearTimeout(area._timer);
      area._timer = setTimeout(() => { area._timer = null; if (area._pending) send(); }, PAUSE_MS);
    };
    area.addEventListener("input", () => {
      area._marks = {};
      number();
      area._pending = true;
      if (!area._timer) send();
    });
    area.addEventListener("blur", () => { if (area._pending) send(); }); // nothing typed is lost on leaving
    area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
  }
  if (area._version !== data.version) {
    area._version = data.version;
    area._pending = false;
    if (area.value !== data.text) { area.value = data.text; area.scrollLeft = 0; }
  }
  area._marks = data.marks;
  area.setAttribute("aria-invalid", Object.keys(data.marks).length ? "true" : "false");
  number();
}
