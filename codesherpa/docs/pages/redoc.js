import { init } from "/api/v1/redoc/redoc.standalone.js";

// ReDoc's own logo is at another host, where this page does not go: it is not asked for, rather than refused.
const setAttribute = Element.prototype.setAttribute;
HTMLImageElement.prototype.setAttribute = function (name, value) {
  if (name !== "src" || !String(value).startsWith("http")) setAttribute.call(this, name, value);
};

init("/api/v1/openapi.json", { disableTelemetry: true }, document.getElementById("page"));
