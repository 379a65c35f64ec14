import { init } from "/api/v1/redoc/redoc.standalone.js";

init("/api/v1/openapi.json", { disableTelemetry: true }, document.getElementById("page"));
