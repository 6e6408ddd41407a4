import type { z } from 'zod';
import type { ProblemCode } from './problem.ts';
import type { OperationScope, Scope } from './scope.ts';

/** What the body of a request is, unless its operation says otherwise. */
export const JSON_TYPE = 'application/json';

/** The largest head of a request: a client id of 65535 bytes, percent-encoded, and the rest. */
export const REQUEST_HEAD_BYTES_MAX = 256 * 1024;

/** A successful reply. */
export interface Reply {
  readonly description: string;
  /** Absent: no body. */
  readonly schema?: z.ZodType;
  /** @defaultValue `application/json` */
  readonly contentType?: string;
  /** Types besides, for callers that accept no other. */
  readonly otherTypes?: readonly string[];
  /** Response headers: name to description. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For the document, where it is not that of the operation. */
  readonly example?: unknown;
}

/** Values for the document; the tests check them against the schemas. */
export interface Example {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly reply?: unknown;
}

/** Where a request names topics: a field of the body or of the query; `*` stands for every item of a list. */
export interface TopicPlace {
  readonly in: 'body' | 'query' | 'path';
  /** Names with dots between them, for example `messages.*.topic`. */
  readonly field: string;
}

/** One operation of the API: the router, the checks of requests and the OpenAPI document are made from it. */
export interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** With parameters in braces, as OpenAPI writes them. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly scope: OperationScope;
  /** Scopes that it needs besides. */
  readonly alsoNeeds?: readonly Scope[];
  /**
   * Where the topics or filters are that it touches: a caller with topic prefixes may name those below them only, and has to
   * name some; an empty list is for operations that do not say which, and keeps all such callers away. Absent: it touches none.
   */
  readonly topics?: readonly TopicPlace[];
  readonly pathParameters?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** @defaultValue {@link JSON_TYPE} */
  readonly bodyType?: string;
  /** Further types in which the body may come; a content parser makes the same values of them. */
  readonly otherBodyTypes?: readonly string[];
  /** Request headers: name to description. */
  readonly headers?: Readonly<Record<string, string>>;
  /** By status; the first is the usual one. */
  readonly replies: Readonly<Record<number, Reply>>;
  /** Codes beyond those that any operation may answer. */
  readonly problems: readonly ProblemCode[];
  readonly example: Example;
}

/** What a part of a request is after its check. */
export type OutputOf<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** What a checked request to an operation holds. */
export interface InputOf<Op extends Operation> {
  readonly path: OutputOf<Op['pathParameters']>;
  readonly query: OutputOf<Op['query']>;
  readonly body: OutputOf<Op['body']>;
}

/** How a value may be written in a query: what is a number or a flag to the API need not be made a text first. */
type Written<Value> = unknown extends Value
  ? string | number
  : Value extends 'true' | 'false'
    ? Value | boolean
    : Value;

/** What a caller gives for a query; undefined where nothing can be given, which zod writes as a record of nothing. */
type QueryOf<Schema> = Schema extends z.ZodType
  ? string extends keyof z.input<Schema>
    ? undefined
    : { readonly [Name in keyof z.input<Schema>]: Written<z.input<Schema>[Name]> }
  : undefined;

/** What a caller gives for a part of a request, before its check. */
type GivenOf<Schema> = Schema extends z.ZodType ? z.input<Schema> : undefined;

/** A part of a call: absent where the operation has none, optional where nothing in it is required. */
type PartOf<Name extends string, Given> = Given extends undefined
  ? unknown
  : Partial<Given> extends Given
    ? { readonly [Key in Name]?: Given }
    : { readonly [Key in Name]: Given };

/** Optional fields of a type, where a shape lacks some of them. */
type FieldOf<Shape, Name extends string> = Shape extends { readonly [Key in Name]: infer Value }
  ? Value
  : undefined;

/** What an operation is called with. */
export type CallOf<Op extends Operation> = PartOf<'path', GivenOf<FieldOf<Op, 'pathParameters'>>> &
  PartOf<'query', QueryOf<FieldOf<Op, 'query'>>> &
  (FieldOf<Op, 'body'> extends z.ZodType
    ? { readonly body: GivenOf<FieldOf<Op, 'body'>> }
    : unknown);

/** A successful reply of an operation, by its status. */
export type ReplyOf<Op extends Operation> = {
  readonly [Status in keyof Op['replies']]: {
    readonly status: Status;
    readonly body: OutputOf<FieldOf<Op['replies'][Status], 'schema'>>;
  };
}[keyof Op['replies']];
