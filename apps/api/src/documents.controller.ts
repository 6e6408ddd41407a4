import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Controller, Inject, Res, StreamableFile } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { stringify } from 'yaml';
import { PROBLEMS, openApiDocument, type Input, type JsonObject } from '#libs/api-contracts';
import type { Config } from '#libs/config';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { CONFIG } from './tokens.ts';

const SWAGGER_UI = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

/** The files of the Swagger UI that the page needs, and their types. */
const ASSETS: ReadonlyMap<string, string> = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
]);

const START_FILE = 'start.js';
const START_SCRIPT = `SwaggerUIBundle({ url: '/api/openapi.json', dom_id: '#ui', deepLinking: true });\n`;

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Skein admin API</title>
    <link rel="icon" href="/api/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/api/docs/swagger-ui.css">
  </head>
  <body>
    <div id="ui"></div>
    <script src="/api/docs/swagger-ui-bundle.js"></script>
    <script src="/api/docs/${START_FILE}"></script>
  </body>
</html>
`;

/** Swagger UI sets styles of its own and shows icons as data; scripts come from here only. */
const PAGE_POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/** The API's own pages: its description, a user interface for it, and what its problems mean. */
@Controller()
export class DocumentsController {
  private readonly document: JsonObject;
  private readonly yaml: string;

  constructor(@Inject(CONFIG) config: Config) {
    this.document = openApiDocument(config.node.version);
    // An anchor would be a text that few readers of OpenAPI follow.
    this.yaml = stringify(this.document, { aliasDuplicateObjects: false });
  }

  @Route('getOpenApi')
  openApi(): JsonObject {
    return this.document;
  }

  @Route('getOpenApiYaml')
  openApiYaml(): StreamableFile {
    return new StreamableFile(Buffer.from(this.yaml), { type: 'application/yaml' });
  }

  @Route('getDocs')
  docs(@Res({ passthrough: true }) reply: FastifyReply): StreamableFile {
    void reply.header('content-security-policy', PAGE_POLICY);
    return new StreamableFile(Buffer.from(PAGE), { type: 'text/html; charset=utf-8' });
  }

  @Route('getDocsAsset')
  async asset(@Checked() { path }: Input<'getDocsAsset'>): Promise<StreamableFile> {
    if (path.file === START_FILE) {
      const type = 'text/javascript; charset=utf-8';
      return new StreamableFile(Buffer.from(START_SCRIPT), { type });
    }
    const type = ASSETS.get(path.file);
    if (type === undefined) throw new ProblemError('not-found', 'There is no such file');
    return new StreamableFile(await readFile(join(SWAGGER_UI, path.file)), { type });
  }

  @Route('getProblem')
  problem(@Checked() { path }: Input<'getProblem'>): JsonObject {
    const entry = Object.entries(PROBLEMS).find(([code]) => code === path.code);
    if (entry === undefined) throw new ProblemError('not-found', 'There is no such problem code');
    const [code, { status, title, text }] = entry;
    return { code, status, title, text };
  }
}
