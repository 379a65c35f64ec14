Redoc.init("/api/v1/openapi.json", { hideDownloadButtons: false }, document.getElementById("page"));
