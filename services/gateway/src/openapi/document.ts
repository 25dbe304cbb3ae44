import type { Type } from '@nestjs/common';
import { z } from 'zod';
import {
  createDocument,
  type ZodOpenApiObject,
  type ZodOpenApiOperationObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi';
import type { CallerKind } from '../http/caller.js';
import { problemDocument, problems, type ProblemCode } from '../http/problem.js';
import { OPERATION, type Answer, type Method, type RoutedOperation } from './operation.js';

type Route = { readonly tag: string; readonly name: string; readonly operation: RoutedOperation };

/** OpenAPI 3.1 of what `controllers` really serve: made of the operations that route and check requests. */
export function openApiDocument(controllers: readonly Type[]): ReturnType<typeof createDocument> {
  const paths: NonNullable<ZodOpenApiObject['paths']> = {};
  for (const route of controllers.flatMap(routesOf)) {
    const { method, path } = route.operation;
    const template = path.replaceAll(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}');
    paths[template] = { ...paths[template], [method.toLowerCase()]: describe(route) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Astro gateway',
      version: '1.0.0',
      description: 'Submit AI jobs to the Astro marketplace, follow them, and offer nodes to it.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(controllers.map(tagOf))].map(name => ({ name })),
    paths,
    components: { securitySchemes },
  });
}

const securitySchemes = {
  tenantKey: { type: 'http', scheme: 'bearer', description: "A tenant's API key, `astro_…`" },
  operatorKey: { type: 'http', scheme: 'bearer', description: "An operator's API key, `astro_…`" },
  nodeToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'EdDSA by the key of the node; `iss` and `sub` its id, `aud` `astro-gateway`, at most 60 s',
  },
} as const;

const schemeOf: Readonly<Record<CallerKind, keyof typeof securitySchemes>> = {
  tenant: 'tenantKey',
  operator: 'operatorKey',
  node: 'nodeToken',
};

function routesOf(controller: Type): readonly Route[] {
  const prototype = controller.prototype as Record<string, object>;
  return Object.getOwnPropertyNames(prototype).flatMap(name => {
    const operation = Reflect.getMetadata(OPERATION, prototype[name]!) as RoutedOperation | undefined;
    return operation ? [{ tag: tagOf(controller), name, operation }] : [];
  });
}

function describe({ tag, name, operation }: Route): ZodOpenApiOperationObject {
  const { method, body, query, pathParameters, headers } = operation;
  const isRepeatable = method === 'POST' && !operation.isPassedOn;
  return {
    operationId: `${tag}.${name}`,
    tags: [tag],
    summary: operation.summary,
    ...(operation.description && { description: operation.description }),
    security: operation.callers.map(kind => ({ [schemeOf[kind]]: [] })),
    requestParams: {
      ...(pathParameters && { path: z.object(pathParameters) }),
      ...(query && { query }),
      header: z.object({ ...headers, ...(isRepeatable && { 'Idempotency-Key': idempotencyKey }) }),
    },
    ...(body && { requestBody: { required: !body.safeParse(undefined).success, content: json(body) } }),
    ...(operation.binaryBody && {
      requestBody: { required: true, content: { 'application/octet-stream': { schema: binary } } },
    }),
    ...(operation.isPassedOn &&
      hasBody(method) && { requestBody: { content: { '*/*': { schema: binary } } } }),
    responses: { ...answersOf(operation), ...problemAnswers(codesOf(operation)) },
  };
}

const codesOf = ({
  method,
  callers,
  body,
  query,
  problems: own,
  isPassedOn,
}: RoutedOperation): ReadonlySet<ProblemCode> =>
  new Set<ProblemCode>([
    ...(own ?? []),
    ...(callers.length > 0 ? authenticated : []),
    // Its token is signed by its own clock.
    ...(callers.includes('node') ? (['clock_differs'] as const) : []),
    ...(body || query ? (['request_invalid'] as const) : []),
    ...(body ? withBody : []),
    ...(method === 'POST' && !isPassedOn ? withIdempotency : []),
    'internal_error',
  ]);

const authenticated = [
  'credentials_missing',
  'credentials_invalid',
  'caller_not_allowed',
  'rate_limited',
  'reads_unavailable',
] as const satisfies readonly ProblemCode[];
const withBody = ['json_malformed', 'body_too_large', 'media_type_unsupported'] as const;
const withIdempotency = [
  'idempotency_key_in_flight',
  'idempotency_key_reused',
  'commands_unavailable',
] as const;

const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/)
  .optional()
  .meta({ description: 'Makes a repetition within 24 hours answer the same', example: 'c0ffee-0001' });

const binary = z.string().meta({ override: { type: 'string', format: 'binary' } });

const hasBody = (method: Method) => method === 'POST' || method === 'PUT' || method === 'PATCH';

const json = (schema: z.ZodType) => ({ 'application/json': { schema } });

function answersOf({ answers }: RoutedOperation): Record<string, ZodOpenApiResponseObject> {
  return Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)]));
}

function answerOf({ description, schema, contentType, alsoAs, headers }: Answer): ZodOpenApiResponseObject {
  const content = contentType
    ? { [contentType]: { schema: contentType === 'text/event-stream' ? z.string() : binary } }
    : schema && { ...json(schema), ...(alsoAs && { [alsoAs]: { schema: binary } }) };
  return { description, ...(content && { content }), ...(headers && { headers: z.object(headers) }) };
}

/** One answer for each status, which names the codes that come with it. */
function problemAnswers(codes: ReadonlySet<ProblemCode>): Record<string, ZodOpenApiResponseObject> {
  const statuses = new Set([...codes].map(code => problems[code][0]));
  const answers = [...statuses].map(status => {
    const listed = [...codes].filter(code => problems[code][0] === status);
    const description = listed.map(code => `\`${code}\`: ${problems[code][1]}`).join('. ');
    return [
      status,
      { description, content: { 'application/problem+json': { schema: problemDocument } } },
    ] as const;
  });
  return Object.fromEntries(answers);
}

const tagOf = (controller: Type) => controller.name.replace(/Controller$/, '').toLowerCase();
