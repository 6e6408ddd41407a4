// TypeScript for the operations and schemas of an OpenAPI document: the part of the client's package that Skein itself infers.

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const REFERENCE = '#/components/schemas/';
const isName = (text) => /^[A-Za-z_$][\w$]*$/.test(text);
const key = (name) => (isName(name) ? name : JSON.stringify(name));

const comment = (text, indent = '') => {
  if (text === undefined) return '';
  return `${indent}/** ${text.replaceAll('*/', '*\u200b/')} */\n`;
};

/** The type of a JSON Schema as zod writes them. */
export function typeOf(schema) {
  if (schema === undefined) return 'unknown';
  if (schema.$ref !== undefined) return schema.$ref.slice(REFERENCE.length);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((each) => JSON.stringify(each)).join(' | ');
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts !== undefined) return union(parts.map(typeOf));
  if (schema.allOf !== undefined)
    return schema.allOf.map((each) => `(${typeOf(each)})`).join(' & ');
  if (Array.isArray(schema.type)) {
    return union(schema.type.map((type) => typeOf({ ...schema, type })));
  }
  switch (schema.type) {
    case 'string':
      return 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'null';
    case 'array':
      return arrayOf(schema);
    case 'object':
      return objectOf(schema);
    case undefined:
      return 'unknown';
    default:
      throw new Error(`no TypeScript for the type ${JSON.stringify(schema.type)}`);
  }
}

const union = (types) => [...new Set(types)].map((type) => `(${type})`).join(' | ');

function arrayOf({ items, prefixItems }) {
  if (prefixItems === undefined) return `readonly (${typeOf(items)})[]`;
  return `readonly [${prefixItems.map(typeOf).join(', ')}]`;
}

function objectOf({ properties, required = [], additionalProperties }) {
  if (properties === undefined) {
    const value =
      typeof additionalProperties === 'object' ? typeOf(additionalProperties) : 'unknown';
    return `Readonly<Record<string, ${value}>>`;
  }
  const fields = Object.entries(properties).map(([name, schema]) => {
    const optional = required.includes(name) ? '' : '?';
    return `${comment(schema.description, '  ')}  readonly ${key(name)}${optional}: ${typeOf(schema)};\n`;
  });
  return `{\n${fields.join('')}}`;
}

/** How a value may be written in a query: what is a number or a flag to the API need not be made a text first. */
function queryTypeOf(schema) {
  const values = schema.enum ?? [];
  if (values.length === 2 && values.includes('true') && values.includes('false')) {
    return `${typeOf(schema)} | boolean`;
  }
  return schema.type === 'integer' || schema.type === 'number' ? 'number | string' : typeOf(schema);
}

/** `path` or `query` of a call; undefined when the operation has none. */
function parametersOf(operation, place) {
  const list = operation.parameters.filter((parameter) => parameter.in === place);
  if (list.length === 0) return undefined;
  const fields = list.map(({ name, required, schema, description }) => {
    const type = place === 'query' ? queryTypeOf(schema) : typeOf(schema);
    return `${comment(description, '  ')}  readonly ${key(name)}${required ? '' : '?'}: ${type};\n`;
  });
  const optional = list.every(({ required }) => !required);
  return `  readonly ${place}${optional ? '?' : ''}: {\n${fields.join('')}};\n`;
}

function callOf(operation) {
  const [body] = Object.values(operation.requestBody?.content ?? {});
  const parts = [
    parametersOf(operation, 'path'),
    parametersOf(operation, 'query'),
    body === undefined ? undefined : `  readonly body: ${typeOf(body.schema)};\n`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? 'unknown' : `{\n${parts.join('')}}`;
}

function replyOf({ responses }) {
  const replies = Object.entries(responses).filter(([status]) => Number(status) < 400);
  return union(
    replies.map(([status, { content }]) => {
      const [media] = Object.values(content ?? {});
      const body = media === undefined ? 'undefined' : typeOf(media.schema);
      return `{ readonly status: ${status}; readonly body: ${body} }`;
    }),
  );
}

/** The operations of a document: id, method, path and what OpenAPI says of each. */
function operationsOf({ paths }) {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method] !== undefined).map((method) => ({
      path,
      method,
      ...item[method],
    })),
  );
}

function routeOf({ method, path, requestBody, responses }) {
  const [bodyType = 'application/json'] = Object.keys(requestBody?.content ?? {});
  const [usual] = Object.values(responses);
  const [replyType = 'application/json'] = Object.keys(usual.content ?? {});
  return { method: method.toUpperCase(), path, bodyType, replyType };
}

/** The module that the client of the package has instead of libs/api-client/src/operations.ts. */
export function operationsModule(document) {
  const operations = operationsOf(document);
  const schemas = Object.entries(document.components.schemas).map(
    ([name, schema]) => `${comment(schema.description)}export type ${name} = ${typeOf(schema)};\n`,
  );
  const entries = operations.map(
    (operation) =>
      `${comment(operation.summary, '  ')}  readonly ${operation.operationId}: {\n    readonly call: ${callOf(operation)};\n    readonly reply: ${replyOf(operation)};\n  };\n`,
  );
  const routes = Object.fromEntries(operations.map((each) => [each.operationId, routeOf(each)]));
  return `// Generated from the OpenAPI document of Skein ${document.info.version}.

${schemas.join('\n')}
/** What each operation is called with and what it answers. */
export interface Operations {
${entries.join('')}}

/** The name of an operation. */
export type OperationId = keyof Operations;

/** A problem code of the closed list. */
export type ProblemCode = Problem['code'];

/** What of an operation decides the request. */
export interface OperationRoute {
  /** Upper-case. */
  readonly method: string;
  /** With parameters in braces. */
  readonly path: string;
  /** The content type of a body. */
  readonly bodyType: string;
  /** The content type of the usual reply. */
  readonly replyType: string;
}

/** Where each operation is. */
export const ROUTES: Readonly<Record<OperationId, OperationRoute>> = ${JSON.stringify(routes, undefined, 2)};
`;
}
