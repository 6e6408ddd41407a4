// What of an OpenAPI document would break a caller that was written for an earlier one (changes within v1 are additive).

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
/** Bounds of a value: which way they may move for callers that send it. */
const LOWER = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems'];
const UPPER = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems'];

/** All breaking changes between two documents, one text each. */
export function breakingChanges(before, after) {
  const faults = [];
  for (const [path, methods] of Object.entries(before.paths)) {
    for (const method of METHODS.filter((each) => methods[each] !== undefined)) {
      const operation = after.paths[path]?.[method];
      const name = `${method.toUpperCase()} ${path}`;
      if (operation === undefined) {
        faults.push(`${name}: is gone`);
        continue;
      }
      const found = [];
      compareOperations(methods[method], operation, {
        report: (text) => found.push(text),
        before,
        after,
      });
      for (const text of new Set(found)) faults.push(`${name}: ${text}`);
    }
  }
  return faults;
}

/** A document without what breaks nobody: texts, examples, headers. */
export function essence(value, key = '') {
  if (Array.isArray(value)) return value.map((each) => essence(each));
  if (typeof value !== 'object' || value === null) return value;
  // Below these, names are those of fields: one may be called `description`.
  const isNames = key === 'properties' || key === 'schemas' || key === 'paths';
  const dropped = isNames
    ? []
    : ['description', 'summary', 'example', 'headers', 'tags', 'default'];
  const entries = Object.entries(value).filter(([name]) => !dropped.includes(name));
  return Object.fromEntries(entries.map(([name, inner]) => [name, essence(inner, name)]));
}

function compareOperations(old, now, context) {
  const { report } = context;
  if (old.operationId !== now.operationId) report(`is called ${now.operationId} now`);
  const scope = 'x-required-scope';
  if (now[scope] !== undefined && old[scope] !== now[scope]) report(`needs ${now[scope]} now`);
  const also = (operation) => operation['x-also-required-scopes'] ?? [];
  for (const each of also(now).filter((one) => !also(old).includes(one)))
    report(`needs ${each} too`);
  if (isOpen(old) && !isOpen(now)) report('needs a credential now');
  compareParameters(old.parameters ?? [], now.parameters ?? [], context);
  compareBodies(old.requestBody, now.requestBody, context);
  for (const [status, { content }] of Object.entries(old.responses)) {
    if (!status.startsWith('2')) continue;
    const answer = now.responses[status];
    if (answer === undefined) report(`answers no ${status} any more`);
    else compareContent(content, answer.content, { ...context, at: `the answer ${status}` });
  }
}

const isOpen = ({ security }) => Array.isArray(security) && security.length === 0;

function compareParameters(old, now, context) {
  const { report } = context;
  const key = (parameter) => `${parameter.in} parameter ${parameter.name}`;
  const known = new Map(old.map((each) => [key(each), each]));
  const left = new Map(now.map((each) => [key(each), each]));
  for (const [name, parameter] of known) {
    const other = left.get(name);
    if (other === undefined) {
      report(`the ${name} is gone`);
      continue;
    }
    if (other.required && !parameter.required) report(`the ${name} is required now`);
    compareSchemas(parameter.schema, other.schema, { ...context, at: `the ${name}`, sent: true });
  }
  for (const [name, parameter] of left) {
    if (parameter.required && !known.has(name)) report(`the ${name} is new and required`);
  }
}

function compareBodies(old, now, context) {
  if (old === undefined) {
    if (now?.required) context.report('takes a body now');
    return;
  }
  if (now === undefined) context.report('takes no body any more');
  else compareContent(old.content, now.content, { ...context, at: 'the body', sent: true });
}

function compareContent(old = {}, now = {}, context) {
  for (const [type, { schema }] of Object.entries(old)) {
    const other = now[type];
    if (other === undefined) context.report(`${context.at} is no ${type} any more`);
    else compareSchemas(schema, other.schema, context);
  }
}

/** Whether what was valid still is (sent), or what is answered still fits what was said of it. */
function compareSchemas(one, other, context) {
  const old = resolved(one, context.before);
  const now = resolved(other, context.after);
  const { seen = [], report, at, sent } = context;
  if (seen.some(([a, b]) => a === old && b === now)) return;
  const inner = { ...context, seen: [...seen, [old, now]] };
  const [before, after] = [variantsOf(old, inner.before), variantsOf(now, inner.after)];
  if (before !== undefined || after !== undefined) {
    compareVariants(before ?? [old], after ?? [now], inner);
    return;
  }
  const [types, others] = [typesOf(old), typesOf(now)];
  const [narrow, wide] = sent ? [types, others] : [others, types];
  const missing = narrow.filter((type) => !fits(type, wide));
  if (missing.length > 0 || (narrow.length === 0 && wide.length > 0)) {
    report(
      `${at} is ${others.join(' or ') || 'anything'} instead of ${types.join(' or ') || 'anything'}`,
    );
    return;
  }
  if (sent) compareSent(old, now, inner);
  compareFields(old, now, inner);
  if (old.items !== undefined && now.items !== undefined) {
    compareSchemas(old.items, now.items, { ...inner, at: `${at}[]` });
  }
  const [values, otherValues] = [old.additionalProperties, now.additionalProperties];
  if (typeof values === 'object' && typeof otherValues === 'object') {
    compareSchemas(values, otherValues, { ...inner, at: `${at}.*` });
  }
}

/** An integer is a number too. */
const fits = (type, wide) =>
  wide.length === 0 || wide.includes(type) || (type === 'integer' && wide.includes('number'));

function compareSent(old, now, { report, at }) {
  const values = enumOf(old);
  const others = enumOf(now);
  if (others !== undefined) {
    if (values === undefined) report(`${at} takes certain values only now`);
    const gone = (values ?? []).filter((value) => !others.includes(value));
    if (gone.length > 0) report(`${at} takes ${gone.join(', ')} no more`);
  }
  for (const name of LOWER) {
    if (
      now[name] !== undefined &&
      now[name] > (old[name] ?? -Infinity) &&
      (now[name] > 0 || name.endsWith('imum'))
    ) {
      report(`${at} has a larger ${name}`);
    }
  }
  for (const name of UPPER) {
    if (now[name] !== undefined && now[name] < (old[name] ?? Infinity))
      report(`${at} has a smaller ${name}`);
  }
  if (now.pattern !== undefined && now.pattern !== old.pattern) report(`${at} has another pattern`);
  if (now.format !== undefined && now.format !== old.format && now.type === 'string') {
    report(`${at} has another format`);
  }
}

function compareFields(old, now, context) {
  const { report, at, sent } = context;
  const [fields, others] = [old.properties ?? {}, now.properties ?? {}];
  const [needed, neededNow] = [old.required ?? [], now.required ?? []];
  for (const [name, schema] of Object.entries(fields)) {
    const field = `${at}.${name}`;
    if (others[name] === undefined) {
      if (!(sent && now.additionalProperties === undefined && now.type === undefined))
        report(`${field} is gone`);
      continue;
    }
    if (!sent && needed.includes(name) && !neededNow.includes(name))
      report(`${field} may be absent now`);
    compareSchemas(schema, others[name], { ...context, at: field });
  }
  if (!sent) return;
  for (const name of neededNow) {
    if (!needed.includes(name)) report(`${at}.${name} is required now`);
  }
}

/** What is sent has to fit one variant still; what is answered may be no other than before. */
function compareVariants(before, after, context) {
  const { report, at, sent } = context;
  const [from, to] = sent ? [before, after] : [after, before];
  for (const variant of from) {
    const found = to.map((other) => {
      const faults = [];
      const pair = sent ? [variant, other] : [other, variant];
      compareSchemas(...pair, { ...context, report: (text) => faults.push(text) });
      return faults;
    });
    if (found.some((faults) => faults.length === 0)) continue;
    // The one that is most alike tells best what is different.
    const [nearest] = found.toSorted((a, b) => a.length - b.length);
    for (const text of nearest ?? [`${at} has other variants`]) report(text);
  }
}

function resolved(schema, document) {
  let found = schema ?? {};
  while (found.$ref !== undefined) {
    found = document.components.schemas[found.$ref.split('/').at(-1)] ?? {};
  }
  return found;
}

function variantsOf(schema, document) {
  const variants = schema.anyOf ?? schema.oneOf;
  return variants?.flatMap((each) => variantsOf(resolved(each, document), document) ?? [each]);
}

function typesOf({ type, enum: values, const: only }) {
  if (type !== undefined) return Array.isArray(type) ? type : [type];
  const known = values ?? (only === undefined ? [] : [only]);
  return [...new Set(known.map((value) => (value === null ? 'null' : typeof value)))];
}

function enumOf({ enum: values, const: only }) {
  return values ?? (only === undefined ? undefined : [only]);
}
