// Unpacks the libraries and the data that the page carries, and hands the charts to Vega and the table to DataTables.
const dark = matchMedia("(prefers-color-scheme: dark)");

async function unpack(name) {
  const packed = atob(document.getElementById(`packed-${name}`).textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function load(name) {
  const url = URL.createObjectURL(new Blob([await unpack(name)], { type: "text/javascript" }));
  return import(url).finally(() => URL.revokeObjectURL(url));
}

let data;
const figures = [...document.querySelectorAll("figure.chart")];
const drawn = new Set();
const folded = (place) => place.closest("details:not([open])");

// Charts are as wide as their place, so those that are folded away are drawn when they are opened.
async function draw() {
  const theme = dark.matches ? "dark" : "light";
  const actions = { export: true, source: false, compiled: false, editor: false };
  const options = (name) => ({ renderer: "canvas", config: data.themes[theme], tooltip: { theme }, actions, downloadFileName: name });
  document.documentElement.classList.toggle("dark", dark.matches); // for DataTables
  const open = figures.filter((figure) => !folded(figure) && !drawn.has(figure));
  open.forEach((figure) => drawn.add(figure));
  await Promise.all(open.map((figure) => vegaEmbed(figure, structuredClone(data.specs[figures.indexOf(figure)]), options(figure.dataset.name))));
}

async function again() {
  drawn.clear();
  await draw();
}

let listed = false;
async function opened() {
  await draw();
  const table = document.getElementById("setups");
  if (table && !folded(table) && !listed) {
    listed = true;
    await list(data.table);
  }
}

async function list({ columns, rows }) {
  const { default: DataTable } = await load("datatables");
  const style = document.createElement("style");
  style.textContent = await unpack("datatables-style");
  document.head.append(style);
  new DataTable("#setups", {
    data: rows,
    columns: columns.map(({ title }, i) => ({
      title,
      data: (row, type) => row[i][type === "sort" || type === "type" ? 1 : 0],
    })),
    order: [],
    pageLength: 15,
    lengthMenu: [15, 50, 200, { label: "all", value: -1 }],
    deferRender: true,
    columnControl: ["order", ["search"]],
    ordering: { indicators: false, handler: true },
  });
}

function copy(button) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("pre, code").textContent);
    button.textContent = "Copied";
  });
}

async function open() {
  document.querySelectorAll("[data-copy]").forEach(copy);
  data = JSON.parse(await unpack("data"));
  await load("vega");
  await draw();
  dark.addEventListener("change", again);
  document.querySelectorAll("details").forEach((details) => details.addEventListener("toggle", opened));
  await opened();
  document.documentElement.dataset.ready = "yes";
}

open().catch((error) => {
  const trouble = document.getElementById("trouble");
  trouble.hidden = false;
  trouble.textContent = `The charts cannot be drawn (${error}); a browser of 2023 or later opens them.`;
  console.error(error);
});
