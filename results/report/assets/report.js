// What the pages can do besides being read: sort and filter tables, load a transcript, ask a live server for news.
// Everything that comes from a run is put in as text; the page's policy (Trusted Types) allows nothing else.
"use strict";

(() => {
  const CHUNK = 300; // entries of a transcript that are put in at once
  const LONG = 1500; // characters of what the model was told, beyond which it is folded
  const POLL = 3000; // milliseconds

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // What the reader has set, kept with the page's entry in the history: it survives a reload and the way back.
  const state = Object.assign({ sorted: {}, filtered: {}, folds: {} }, history.state);
  function keep() {
    history.replaceState(state, "");
  }

  // Tables

  function valueOf(cell) {
    const text = cell.dataset.sort ?? cell.textContent.trim();
    const number = Number(text);
    return text === "" || text === "–" ? null : Number.isNaN(number) ? text.toLowerCase() : number;
  }

  function compare(one, other) {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return String(one).localeCompare(String(other), undefined, { numeric: true });
  }

  function sort(table, column, direction) {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, value: valueOf(row.cells[column]) }));
    // What is unknown stands last, whichever way is sorted.
    rows.sort((one, other) =>
      one.value === null || other.value === null
        ? (one.value === null) - (other.value === null)
        : direction * compare(one.value, other.value),
    );
    body.append(...rows.map(({ row }) => row));
    [...table.tHead.rows[0].cells].forEach((head, number) => {
      head.setAttribute("aria-sort", number !== column ? "none" : direction > 0 ? "ascending" : "descending");
    });
  }

  function isFigure(table, column) {
    return [...table.tBodies[0].rows].some((row) => typeof valueOf(row.cells[column]) === "number");
  }

  function makeSortable(table, name) {
    if (!table.tHead || table.tBodies[0].rows.length < 2) return;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = make("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const first = isFigure(table, column) && head.dataset.kind !== "number" ? -1 : 1; // figures: largest first
        const direction = now === "none" ? first : now === "ascending" ? -1 : 1;
        sort(table, column, direction);
        state.sorted[name] = [column, direction];
        keep();
      });
    });
    const [column, direction] = state.sorted[name] ?? [-1, 1];
    if (column in table.tHead.rows[0].cells) sort(table, column, direction);
  }

  function makeFilter(controls) {
    const name = controls.dataset.controls;
    const rows = () => [...document.getElementById(name).tBodies[0].rows];
    const [search, select, status] = ["input", "select", "[role=status]"].map((what) => controls.querySelector(what));
    const texts = new Map(rows().map((row) => [row, row.textContent.toLowerCase()]));
    function apply() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = select?.value ?? "";
      let shown = 0;
      for (const row of rows()) {
        const fits = (!wanted || row.dataset.state === wanted) && words.every((word) => texts.get(row).includes(word));
        row.hidden = !fits;
        shown += fits;
      }
      const isFiltered = words.length > 0 || wanted !== "";
      status.textContent = isFiltered ? `${shown} of ${texts.size} shown` : "";
      state.filtered[name] = [search.value, wanted];
      keep();
    }
    const [text, wanted] = state.filtered[name] ?? ["", ""];
    search.value = text;
    if (select) select.value = wanted;
    if (text || wanted) apply();
    search.addEventListener("input", apply);
    select?.addEventListener("change", apply);
    controls.hidden = rows().length < 2;
  }

  // Transcripts

  const titles = { system: "System prompt", user: "Told", assistant: "Model", note: "Note", gap: "Gap" };

  function toolEntry(entry) {
    const details = make("details", entry.failed ? "failed" : "");
    const summary = make("summary");
    summary.append(make("code", "", entry.name), " ", make("span", "quiet", entry.summary));
    if (entry.failed) summary.append(" ", make("span", "badge unresolved", "failed"));
    if (entry.meta) summary.append(" ", make("span", "quiet", `· ${entry.meta}`));
    details.append(summary, make("div", "head", "Call"), block(entry.text), make("div", "head", "Result"));
    details.append(entry.result === null ? make("p", "gap", "No result was recorded.") : block(entry.result));
    return details;
  }

  function block(text) {
    const pre = make("pre", "", text);
    pre.tabIndex = 0;
    return pre;
  }

  function shown(entry) {
    const element = make("div", `entry ${entry.kind}`);
    if (entry.kind === "tool") {
      element.append(toolEntry(entry));
    } else if (entry.kind === "system" || (entry.kind === "user" && entry.text.length > LONG)) {
      const details = make("details");
      const length = `${entry.text.length.toLocaleString("en")} characters`;
      details.append(make("summary", "", [titles[entry.kind], entry.meta, length].filter(Boolean).join(" · ")), block(entry.text));
      element.append(details);
    } else {
      element.append(make("div", "head", [titles[entry.kind] ?? "Gap", entry.meta].filter(Boolean).join(" · ")));
      if (entry.text) element.append(make("p", "text", entry.text));
    }
    return element;
  }

  function fill(place, entries) {
    const tools = entries.filter((entry) => entry.kind === "tool").length;
    const bar = make("div", "bar");
    const list = make("div");
    bar.append(make("span", "", `${entries.length} entries, ${tools} tool calls`));
    for (const [label, isOpen] of [["Unfold all", true], ["Fold all", false]]) {
      const button = make("button", "", label);
      button.type = "button";
      button.addEventListener("click", () => {
        for (const details of list.querySelectorAll("details")) details.open = isOpen;
      });
      if (tools) bar.append(button);
    }
    let position = 0;
    const more = make("button");
    more.type = "button";
    function go() {
      const first = position;
      list.append(...entries.slice(position, position + CHUNK).map(shown));
      position += CHUNK;
      more.hidden = position >= entries.length;
      more.textContent = `Show the next ${Math.min(CHUNK, entries.length - position)}`;
      if (first) {
        // The reader's place: the first entry that is new.
        list.children[first].tabIndex = -1;
        list.children[first].focus();
      }
    }
    more.addEventListener("click", go);
    place.replaceChildren(bar, list, more);
    if (entries.length) go();
    else place.replaceChildren(make("p", "gap", "The transcript is empty: no model was asked, or nothing was said yet."));
  }

  const waiting = {};
  // Called by the data files: see results/report/transcript.py.
  window.transcript = (key, entries) => {
    if (!Object.hasOwn(waiting, key)) return;
    fill(waiting[key], entries);
    waiting[key].ariaBusy = "false";
  };
  const OWN_DATA = /^(\.\.\/)*transcripts\/[a-z0-9._-]+\/[a-z0-9-]+\.js$/;
  const addresses = window.trustedTypes?.createPolicy("transcripts", {
    createScriptURL(address) {
      if (!OWN_DATA.test(address)) throw new TypeError("not a transcript of this site");
      return address;
    },
  });

  function load(details) {
    const { transcript: key, root } = details.dataset;
    if (Object.hasOwn(waiting, key)) return;
    waiting[key] = details.querySelector(".transcript");
    waiting[key].replaceChildren(make("p", "quiet", "Loading …"));
    waiting[key].ariaBusy = "true";
    const script = document.createElement("script");
    const address = root + key;
    script.addEventListener("error", () => {
      waiting[key].replaceChildren(make("p", "gap", `The transcript can't be loaded: ${key} is missing.`));
      waiting[key].ariaBusy = "false";
      delete waiting[key];
    });
    script.src = addresses ? addresses.createScriptURL(address) : address;
    document.head.append(script);
  }

  // Folds

  function makeFold(details) {
    if (details.id in state.folds) details.open = state.folds[details.id];
    if (details.dataset.transcript && details.open) load(details);
    details.addEventListener("toggle", () => {
      state.folds[details.id] = details.open;
      keep();
      if (details.dataset.transcript && details.open) load(details);
    });
  }

  // A live server

  function watch(address, bar) {
    const status = bar.querySelector("[role=status]");
    const button = bar.querySelector("button");
    let isPaused = sessionStorage.getItem("paused") === "yes";
    let known = null;
    function tell() {
      button.textContent = isPaused ? "Go on" : "Pause";
      bar.classList.toggle("paused", isPaused);
      status.textContent = isPaused ? "Updates are paused" : "Live: the page follows the run";
    }
    button.addEventListener("click", () => {
      isPaused = !isPaused;
      sessionStorage.setItem("paused", isPaused ? "yes" : "no");
      tell();
    });
    async function ask() {
      try {
        const answer = await (await fetch(address, { cache: "no-store" })).json();
        if (known !== null && answer.version !== known && !isPaused && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) {
          location.reload();
          return;
        }
        known ??= answer.version;
        if (!isPaused && status.textContent.startsWith("Lost")) tell();
      } catch {
        status.textContent = "Lost: bench view has ended. The page is as it was last";
      }
      setTimeout(ask, POLL);
    }
    tell();
    ask();
  }

  document.querySelectorAll("table[data-sortable]").forEach((table, number) => makeSortable(table, table.id || `table-${number}`));
  document.querySelectorAll("[data-controls]").forEach(makeFilter);
  document.querySelectorAll("details[id]").forEach(makeFold);
  const live = document.body.dataset.live;
  if (live) watch(live, document.querySelector("[data-part=live]"));
})();
