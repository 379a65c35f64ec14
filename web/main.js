// The page: who is signed in, what is shown, and where the parts meet.

import { Client } from "./client.js";
import { Account } from "./account.js";
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { button, h } from "./dom.js";
import { Items } from "./items.js";
import { Sidebar } from "./sidebar.js";
import { SignIn } from "./signin.js";
import { speak, t } from "./texts.js";

const page = document.getElementById("page");
const said = document.getElementById("said");

const app = {
  client: new Client(),
  user: null,
  agents: [],
  projects: [],
  go: (hash) => (location.hash === hash ? route() : (location.hash = hash)),
  draw,
  refresh: () => sidebar?.read(),
  announce,
  notice,
};

let sidebar, main, view, connection;

app.client.session.addEventListener("begin", enter);
app.client.session.addEventListener("end", ({ detail }) => leave(detail.reason));
addEventListener("hashchange", () => app.user && route());
addEventListener("keydown", (event) => {
  if (event.key === "k" && (event.ctrlKey || event.metaKey) && sidebar) {
    event.preventDefault();
    openSidebar();
    sidebar.search.focus();
  } else if (event.key === "Escape" && document.body.classList.contains("side-open")) closeSidebar();
});

speak(localStorage.getItem("codesherpa.language") ?? navigator.language);
if (app.client.session.signedIn) enter();
else leave();

// Show the page of whoever is signed in now.
async function enter() {
  try {
    app.user = await app.client.get("/user/me");
    await readLists();
  } catch (error) {
    if (app.client.session.signedIn) showTrouble(error);
    return;
  }
  draw();
  app.client.live.open();
}

// Show the sign-in, and why, where that is not plain.
function leave(reason) {
  app.user = sidebar = null;
  view?.leave?.();
  view = null;
  document.body.classList.remove("side-open");
  page.replaceChildren(new SignIn(app, reason).element);
  document.title = "CodeSherpa";
}

function showTrouble(error) {
  const again = button(t("again"), "retry", enter, { class: "primary" });
  const words = error.status ? error.message : t("unreachable");
  page.replaceChildren(
    h("main", { class: "missing" }, h("h1", {}, t("trouble")), h("p", { role: "alert" }, words), again),
  );
}

async function readLists() {
  const [agents, projects] = await Promise.all(
    ["agents", "projects"].map((kind) => app.client.get(`/${kind}`, { page_size: 100 })),
  );
  app.agents = agents.agents;
  app.projects = projects.projects;
}

// Build the frame, in the user's language.
function draw() {
  speak(app.user.language);
  localStorage.setItem("codesherpa.language", app.user.language);
  connection ??= new Connection(app);
  sidebar = new Sidebar(app);
  main = h("main", { id: "main", tabindex: -1 });
  const menu = button(t("menu"), "menu", openSidebar, { quiet: true, class: "menu", "aria-controls": "side" });
  const skip = h("a", { class: "skip", href: "#main", onclick: skipToMain }, t("skip"));
  const veil = h("div", { class: "veil", onclick: closeSidebar });
  const bar = h("div", { class: "bar" }, menu, connection.element);
  page.replaceChildren(
    skip,
    veil,
    h("div", { class: "frame" }, sidebar.element, h("div", { class: "room" }, bar, main)),
  );
  route();
}

const VIEWS = {
  c: (id) => new Conversation(app, Number(id) || null),
  agents: () => new Items(app, "agents"),
  projects: () => new Items(app, "projects"),
  account: () => new Account(app),
};

function route() {
  const [name = "c", id] = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean);
  closeSidebar();
  view?.leave?.();
  view = (VIEWS[name] ?? VIEWS.c)(id);
  main.replaceChildren(view.element);
  document.title = "CodeSherpa";
  sidebar.mark();
  view.enter?.();
}

function skipToMain(event) {
  event.preventDefault();
  main.focus();
}

function openSidebar() {
  document.body.classList.add("side-open");
  if (matchMedia("(max-width: 800px)").matches) sidebar.close.focus();
}

function closeSidebar() {
  document.body.classList.remove("side-open");
}

// Say something to those who hear the page; what comes close together is said together.
let waiting = [];
function announce(text) {
  if (waiting.push(text) > 1) return;
  setTimeout(() => {
    said.textContent = waiting.join(" ").slice(-2000);
    waiting = [];
  }, 700);
}

// Tell what could not be done, for a while, wherever one is.
function notice(text) {
  const shown = h("p", { class: "notice", role: "alert" }, text);
  document.body.append(shown);
  setTimeout(() => shown.remove(), 6000);
}
