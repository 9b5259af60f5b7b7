// A readable page of /openapi.json.
'use strict';

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function rows(pairs) {
  const table = element('table');
  for (const [name, text] of pairs) {
    const line = element('tr');
    line.append(element('th', name), element('td', text));
    line.firstChild.scope = 'row';
    table.append(line);
  }
  return table;
}

fetch('/openapi.json').then((answer) => answer.json()).then((api) => {
  const named = (part) => part && part.$ref ? part.$ref.slice(2).split('/').reduce((at, step) => at[step], api) : part;
  document.getElementById('about').textContent = api.info.description;
  const calls = document.getElementById('calls');
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (method === 'parameters') continue;
      const box = element('details');
      const summary = element('summary');
      summary.append(element('span', method.toUpperCase(), 'method'), ' ' + path + ' · ' + operation.summary);
      box.append(summary);
      const inputs = [...(operations.parameters || []), ...(operation.parameters || [])].map(named);
      if (inputs.length) box.append(element('h3', 'Parameters'), rows(inputs.map((each) => [each.name, each.description || ''])));
      const content = operation.requestBody && Object.values(named(operation.requestBody).content)[0];
      if (content && content.schema) {
        const schema = named(content.schema);
        box.append(element('h3', 'Body'), rows(Object.entries(schema.properties || {}).map(([name, each]) => [name, each.description || each.type || ''])));
      }
      box.append(element('h3', 'Answers'), rows(Object.entries(operation.responses).map(([status, each]) => [status, named(each).description])));
      const section = element('section');
      section.append(box);
      calls.append(section);
    }
  }
});
