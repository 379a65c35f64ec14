import { init } from "/api/v1/redoc/redoc.standalone.js";

// ReDoc's own logo is at another host, where this page does not go: it is not asked for, rather than refused.
const image = HTMLImageElement.prototype;
const ours = (address) => !String(address).startsWith("http");
const { setAttribute } = image;
image.setAttribute = function (name, value) {
  if (name !== "src" || ours(value)) setAttribute.call(this, name, value);
};
const { get, set } = Object.getOwnPropertyDescriptor(image, "src");
Object.defineProperty(image, "src", {
  get,
  set(value) {
    if (ours(value)) set.call(this, value);
  },
});

init("/api/v1/openapi.json", { disableTelemetry: true }, document.getElementById("page"));
