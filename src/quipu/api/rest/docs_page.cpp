#include "quipu/api/rest/docs_page.h"

namespace quipu::api::rest {
namespace {

// Everything from the document goes through textContent: nothing of it can become markup.
constexpr const char* kPage = R"HTML(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Quipu API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --line: #8884; --dim: #888; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; }
h2 { margin: 2rem 0 .5rem; text-transform: capitalize; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0;
          padding: .4rem .8rem; }
summary { cursor: pointer; }
code, pre { font: .875rem/1.45 ui-monospace, monospace; }
pre { overflow: auto; border: 1px solid var(--line); border-radius: 6px; padding: .6rem; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
.dim { color: var(--dim); }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
</style></head><body>
<h1>Quipu API</h1><p class="dim" id="about">Loading…</p><main id="out"></main>
<script>
const el = (tag, text, cls) => { const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text; if (cls) e.className = cls; return e; };
const table = (heads, rows) => { const t = el('table'), h = el('tr');
  heads.forEach(x => h.append(el('th', x))); t.append(h);
  rows.forEach(r => { const tr = el('tr'); r.forEach(x => tr.append(el('td', x))); t.append(tr); });
  return t; };
const resolve = (doc, s) => s && s.$ref ? doc.components.schemas[s.$ref.split('/').pop()] : s;
const typeOf = (doc, s) => { if (!s) return ''; if (s.$ref) return s.$ref.split('/').pop();
  const choices = s.oneOf || s.anyOf;
  if (choices) return choices.map(x => typeOf(doc, x)).join(' or ');
  if (s.enum) return s.enum.join(' | ');
  let t = s.type === 'array' ? typeOf(doc, s.items) + '[]' : s.type;
  const range = [['minimum', '≥'], ['maximum', '≤'], ['minItems', 'at least'],
    ['maxItems', 'at most'], ['maxLength', 'up to']]
    .filter(r => s[r[0]] !== undefined).map(r => r[1] + ' ' + s[r[0]]);
  return t + (range.length ? ' (' + range.join(', ') + ')' : ''); };
const fields = (doc, schema) => { const s = resolve(doc, schema), out = el('div');
  if (!s) return out;
  if (s.description) out.append(el('p', s.description));
  const choices = s.oneOf || s.anyOf;
  if (choices) { choices.forEach(x => { out.append(el('p', typeOf(doc, x), 'dim'));
    if (resolve(doc, x).properties) out.append(fields(doc, x)); }); return out; }
  if (s.properties) out.append(table(['field', 'type', ''], Object.entries(s.properties).map(p =>
    [p[0] + ((s.required || []).includes(p[0]) ? ' *' : ''), typeOf(doc, p[1]),
     p[1].description || ''])));
  return out; };
const operation = (doc, path, method, op) => { const d = el('details'), s = el('summary');
  s.append(el('span', method.toUpperCase(), 'method'), el('code', path),
    el('span', '  ' + op.summary, 'dim'));
  d.append(s);
  if (op.parameters.length) d.append(el('h4', 'Parameters'), table(['name', 'in', ''],
    op.parameters.map(p => [p.name + (p.required ? ' *' : ''), p.in, p.description || ''])));
  if (op.requestBody) { const c = op.requestBody.content['application/json'];
    d.append(el('h4', 'Body'), fields(doc, c.schema),
      el('pre', JSON.stringify(c.example, null, 2))); }
  for (const [status, r] of Object.entries(op.responses)) { if (status === 'default') continue;
    d.append(el('h4', 'Answer ' + status));
    for (const c of Object.values(r.content)) d.append(fields(doc, c.schema)); }
  return d; };
fetch('/openapi.json').then(r => r.json()).then(doc => {
  document.getElementById('about').textContent = doc.info.summary + ' Version ' + doc.info.version;
  const groups = new Map();
  for (const [path, methods] of Object.entries(doc.paths))
    for (const [method, op] of Object.entries(methods)) {
      const tag = op.tags[0]; if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(doc, path, method, op)); }
  const out = document.getElementById('out');
  for (const [tag, list] of groups) { out.append(el('h2', tag)); out.append(...list); }
  out.append(el('h2', 'schemas'));
  for (const [name, s] of Object.entries(doc.components.schemas)) {
    const d = el('details'); d.append(el('summary', name), fields(doc, s)); out.append(d); }
}).catch(e => { document.getElementById('about').textContent = 'Could not load: ' + e; });
</script></body></html>
)HTML";

}  // namespace

std::string docs_page() { return kPage; }

}  // namespace quipu::api::rest
