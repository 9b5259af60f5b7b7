// Judges Kubernetes objects by the schemas of their kinds: node kubernetes.mjs MODULES, a JSON list of objects on stdin.
// Prints a list of what is wrong. A schema has nothing against fields it does not know, so one that is never looked at
// while an object is judged is wrong too: an API server would drop it, or refuse it.
import {existsSync, readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const modules = process.argv[2];
const packages = ['kubernetes-models', '@kubernetes-models/cloudnative-pg', '@kubernetes-models/prometheus-operator'];

async function modelOf({apiVersion, kind}) {
  const file = packages.map((each) => `${modules}/${each}/${apiVersion}/${kind}.js`).find(existsSync);
  return file && (await import(pathToFileURL(file)))[kind];
}

/** The same value; `seen` gets the path of whatever is read from it. */
function watched(value, path, seen) {
  if (value === null || typeof value !== 'object') return value;
  return new Proxy(value, {
    get(target, key) {
      const one = target[key];
      if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return one;
      seen.add(`${path}/${key}`);
      return watched(one, `${path}/${key}`, seen);
    },
  });
}

function* paths(value, path) {
  if (value === null || typeof value !== 'object') return;
  for (const [key, one] of Object.entries(value)) {
    yield `${path}/${key}`;
    yield* paths(one, `${path}/${key}`);
  }
}

const wrong = [];
for (const object of JSON.parse(readFileSync(0))) {
  const name = `${object.kind} ${object.metadata?.name}`;
  const Model = await modelOf(object);
  if (!Model) {
    wrong.push(`${name}: no schema of ${object.apiVersion}`);
    continue;
  }
  const seen = new Set();
  try {
    new Model({}).validate.call(watched(object, '', seen));
  } catch (error) {
    wrong.push(`${name}: ${error.message}`);
    continue;
  }
  for (const path of paths(object, '')) if (!seen.has(path)) wrong.push(`${name}: unknown: ${path}`);
}
console.log(JSON.stringify(wrong));
