// The token that is authorised stays in this tab alone.
SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
