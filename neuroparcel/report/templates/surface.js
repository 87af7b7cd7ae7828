"use strict";
// The surface view: niivue draws and turns the meshes, this chooses the colour of each vertex.
(() => {
  const CAMERA = { left: [90, 0], right: [270, 0], front: [180, 0], back: [0, 0], top: [0, 90], bottom: [180, -90] };
  const GYRUS = 204, SULCUS = 143; // brightness of grey, as in the figures
  const RELIEF = 0.2; // how much of the sulci shows through a colour
  const TURN = 10; // degrees of an arrow key
  const STEP = 1.25; // of the size
  // Colours as in the legend where the surface faces the reader, darker where it turns away.
  const SHADER = `#version 300 es
    precision highp float;
    uniform float opacity;
    in vec4 vClr;
    in vec3 vN;
    out vec4 color;
    void main() {
      float facing = abs(normalize(vN).z);
      color = vec4(vClr.rgb * mix(0.45, 1.0, smoothstep(0.0, 0.7, facing)), opacity);
    }`;
  const PROMPT = "Double-click a vertex to read its probabilities.";

  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("surface-data").textContent);
  const packedMaps = [...document.querySelectorAll(".surface-map-data")];
  const canvas = byId("surface-canvas"), status = byId("surface-status"), legend = byId("surface-legend");
  const chosen = { map: byId("surface-map"), quantity: byId("surface-quantity"), side: byId("surface-side"), hemispheres: byId("surface-hemispheres") };
  const maps = new Map();
  let view = null, hemispheres = [], size = canvas.clientWidth > 1.3 * canvas.clientHeight ? 1.2 : 0.9;

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function start() {
    status.textContent = "Starting ...";
    const library = document.createElement("script");
    library.textContent = new TextDecoder().decode(await unpack(byId("surface-library").textContent));
    document.head.append(library);
    view = new niivue.Niivue({
      backColor: [1, 1, 1, 1],
      show3Dcrosshair: false,
      isColorbar: false,
      isOrientCube: false,
      dragAndDropEnabled: false,
      loadingText: "",
      logLevel: "error",
      clipPlaneHotKey: "",
      cycleClipPlaneHotKey: "",
      viewModeHotKey: "",
    });
    await view.attachToCanvas(canvas);
    canvas.parentElement.style.backgroundColor = ""; // niivue makes it black
    hemispheres = await Promise.all(data.hemispheres.map(loadHemisphere));
    const shader = view.setCustomMeshShader(SHADER, "facing");
    for (const { mesh } of hemispheres) {
      view.addMesh(mesh);
      view.setMeshShader(mesh.id, shader);
    }
    view.setScale(size);
    view.onLocationChange = (location) => read(location.mm);
    await paint();
    turn();
    status.textContent = PROMPT;
    canvas.dataset.ready = "true";
  }

  async function loadHemisphere({ name, mesh, sulci }) {
    const file = new File([await unpack(mesh)], `${name}.mz3`);
    const loaded = await niivue.NVMesh.loadFromFile({ file, gl: view.gl, name: file.name });
    return { name, mesh: loaded, sulci: await unpack(sulci) };
  }

  // Rows of a map: for each hemisphere the labels, the entropy, and each network's probabilities.
  async function mapOf(number) {
    if (!maps.has(number)) maps.set(number, await unpack(packedMaps[number].textContent));
    return maps.get(number);
  }

  function rowsOf(values, position) {
    const n = hemispheres[position].sulci.length, block = (2 + data.networks.length) * n;
    const row = (number) => values.subarray(position * block + number * n, position * block + (number + 1) * n);
    return { label: row(0), entropy: row(1), probability: (network) => row(2 + network) };
  }

  const mixed = (from, to, share) => from.map((part, i) => part * (1 - share) + to[i] * share);

  // Colours by stored value of a network's probability, or of the entropy of a label.
  function ramp(toColour) {
    return Array.from({ length: data.steps + 1 }, (_, value) => toColour(value / data.steps));
  }

  async function paint() {
    const values = await mapOf(Number(chosen.map.value));
    const quantity = chosen.quantity.value, network = Number(quantity);
    const fading = data.colours.map((colour) => ramp((share) => mixed(colour, data.pale, share * data.mostFaded)));
    const rising = Number.isInteger(network) ? ramp((share) => mixed(data.pale, data.colours[network], share)) : null;
    hemispheres.forEach(({ mesh, sulci }, position) => {
      const { label, entropy, probability } = rowsOf(values, position);
      const shown = rising && probability(network), colours = new Uint8Array(4 * label.length);
      for (let vertex = 0; vertex < label.length; vertex++) {
        const depth = sulci[vertex] / 255, grey = GYRUS + (SULCUS - GYRUS) * depth;
        let colour = [grey, grey, grey];
        if (label[vertex] === data.noData) colour = data.noDataColour;
        else if (label[vertex]) {
          if (rising) colour = rising[shown[vertex]];
          else if (quantity === "entropy") colour = data.entropyColours[entropy[vertex]];
          else if (quantity === "hard") colour = data.colours[label[vertex] - 1];
          else colour = fading[label[vertex] - 1][entropy[vertex]];
          colour = colour.map((part) => part * (1 - RELIEF * depth));
        }
        colours.set([...colour, 255], 4 * vertex);
      }
      view.setMeshProperty(mesh.id, "rgba255", colours);
    });
    explain(rising);
    view.drawScene();
  }

  function explain(rising) {
    const quantity = chosen.quantity.selectedOptions[0].textContent.trim();
    const who = chosen.map.selectedOptions[0].textContent.trim();
    const isNetwork = rising !== null;
    canvas.setAttribute("aria-label", `Cortical surface of ${who}: ${isNetwork ? "probability of " : ""}${quantity}`);
    legend.replaceChildren();
    if (isNetwork || chosen.quantity.value === "entropy") {
      const bar = document.createElement("span");
      bar.className = "ramp";
      const colours = rising || data.entropyColours;
      bar.style.background = `linear-gradient(to right, ${colours.map((colour) => `rgb(${colour})`)})`;
      legend.append("0", bar, isNetwork ? "1" : "1 (all networks even)");
      return;
    }
    data.networks.forEach((name, number) => {
      const item = document.createElement("span"), swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = `rgb(${data.colours[number]})`;
      item.append(swatch, name);
      legend.append(item);
    });
  }

  function turn() {
    view.setRenderAzimuthElevation(...CAMERA[chosen.side.value]);
  }

  function showHemispheres() {
    const wanted = chosen.hemispheres.value;
    for (const { name, mesh } of hemispheres) {
      view.setMeshProperty(mesh.id, "visible", wanted === "both" || wanted === name);
    }
    if (wanted !== "both") chosen.side.value = wanted;
    turn();
  }

  function grow(by) {
    size *= by;
    view.setScale(size);
  }

  // Name the vertex that was double-clicked, and its three most probable networks.
  async function read(place) {
    if (!place || !hemispheres.length) return;
    const near = hemispheres
      .map(({ name, mesh }, position) => ({ name, mesh, position, found: view.indexNearestXYZmm(mesh.id, ...place) }))
      .filter(({ mesh }) => mesh.visible)
      .sort((a, b) => a.found[1] - b.found[1])[0];
    const vertex = near.found[0];
    const { label, entropy, probability } = rowsOf(await mapOf(Number(chosen.map.value)), near.position);
    const where = `${near.name} hemisphere, vertex ${vertex}`;
    if (label[vertex] === 0 || label[vertex] === data.noData) {
      status.textContent = `${where}: ${label[vertex] ? "no data" : "outside the region"}`;
      return;
    }
    const shares = data.networks.map((name, number) => [name, probability(number)[vertex] / data.steps]);
    const best = shares.sort((a, b) => b[1] - a[1]).slice(0, 3).map(([name, share]) => `${name} ${share.toFixed(2)}`);
    status.textContent = `${where}: ${best.join(", ")}; entropy ${(entropy[vertex] / data.steps).toFixed(2)}`;
  }

  function listen() {
    const redraw = async () => {
      await paint();
      status.textContent = PROMPT;
    };
    chosen.map.addEventListener("change", redraw);
    chosen.quantity.addEventListener("change", redraw);
    chosen.side.addEventListener("change", turn);
    if (chosen.hemispheres) chosen.hemispheres.addEventListener("change", showHemispheres);
    byId("surface-larger").addEventListener("click", () => grow(STEP));
    byId("surface-smaller").addEventListener("click", () => grow(1 / STEP));
    canvas.addEventListener("keydown", (event) => {
      const turned = { ArrowLeft: [TURN, 0], ArrowRight: [-TURN, 0], ArrowUp: [0, -TURN], ArrowDown: [0, TURN] }[event.key];
      if (!turned) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      view.setRenderAzimuthElevation(view.scene.renderAzimuth + turned[0], view.scene.renderElevation + turned[1]);
    }, { capture: true });
  }

  // Over the surface the wheel scrolls the page, until the surface was clicked.
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas) event.stopImmediatePropagation();
  }, { capture: true });

  function fail(error) {
    canvas.parentElement.hidden = true;
    status.textContent = `The surface cannot be shown in this browser (${error.message}); the figures show the same maps.`;
  }

  const watch = new IntersectionObserver(async (entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    try {
      if (!document.createElement("canvas").getContext("webgl2")) throw new Error("it has no WebGL 2");
      await start();
      listen();
    } catch (error) {
      fail(error);
    }
  }, { rootMargin: "200px" });
  watch.observe(canvas);
})();
