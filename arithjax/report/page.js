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

async function draw({ specs, themes }) {
  const theme = dark.matches ? "dark" : "light";
  const actions = { export: true, source: false, compiled: false, editor: false };
  const options = (name) => ({ renderer: "canvas", config: themes[theme], tooltip: { theme }, actions, downloadFileName: name });
  document.documentElement.classList.toggle("dark", dark.matches); // for DataTables
  const charts = [...document.querySelectorAll("figure.chart")];
  await Promise.all(charts.map((chart, i) => vegaEmbed(chart, structuredClone(specs[i]), options(chart.dataset.name))));
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

async function open() {
  const data = JSON.parse(await unpack("data"));
  await load("vega");
  await draw(data);
  dark.addEventListener("change", () => draw(data));
  if (data.table.rows.length) await list(data.table);
  document.documentElement.dataset.ready = "yes";
}

open().catch((error) => {
  const trouble = document.getElementById("trouble");
  trouble.hidden = false;
  trouble.textContent = `The charts cannot be drawn (${error}); a browser of 2023 or later opens them.`;
  console.error(error);
});
