import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { controllers } from '../gateway.module.js';
import { problems } from '../http/problem.js';
import { openApiDocument } from './document.js';

const document = openApiDocument(controllers);
type Operation = {
  operationId: string;
  security: object[];
  parameters?: { in: string; name: string; required?: boolean }[];
  responses: Record<string, { description: string; content?: Record<string, unknown> }>;
};
const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
  Object.entries(item as Record<string, Operation>).map(([method, operation]) => ({
    method,
    path,
    ...operation,
  })),
);
const schemas = Object.entries(document.components?.schemas ?? {});

describe('the OpenAPI document', () => {
  test('is of version 3.1 and can be written as JSON', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });

  test('names every operation once', () => {
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('jobs.submit');
  });

  test.each(operations)('$method $path declares its path parameters, answers and problems', operation => {
    const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const declared = (operation.parameters ?? []).filter(parameter => parameter.in === 'path');
    expect(declared.map(({ name }) => name)).toEqual(inPath);
    expect(declared.every(({ required }) => required === true)).toBe(true);
    const statuses = Object.keys(operation.responses).map(Number);
    expect(statuses.some(status => status < 300)).toBe(true);
    expect(statuses).toContain(500);
    if (operation.security.length > 0) expect(statuses).toEqual(expect.arrayContaining([401, 403, 429, 503]));
    for (const [status, { content }] of Object.entries(operation.responses))
      if (Number(status) >= 400) expect(Object.keys(content ?? {})).toEqual(['application/problem+json']);
  });

  test('refers only to what it holds', () => {
    const names = new Set(schemas.map(([name]) => `#/components/schemas/${name}`));
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
      ([, reference]) => reference,
    );
    expect(references.length).toBeGreaterThan(0);
    for (const reference of references) expect(names).toContain(reference);
  });

  test('lists every problem that some route can answer', () => {
    const listed = JSON.stringify(operations);
    const general = [
      'request_malformed',
      'route_not_found',
      'method_not_allowed',
      'uri_too_long',
      'headers_too_large',
      'shutting_down',
    ];
    for (const code of Object.keys(problems))
      if (!general.includes(code)) expect(listed).toContain(`\`${code}\``);
  });
});

describe('its schemas', () => {
  const formats = { 'date-time': true, date: true, binary: true, base64: true, uri: true } as const;
  const ajv = new Ajv2020({ strict: false, formats });
  for (const [name, schema] of schemas) ajv.addSchema(schema, `#/components/schemas/${name}`);
  const examples = schemas.flatMap(([name, schema]) =>
    typeof schema === 'object' && 'example' in schema ? [[name, schema.example] as const] : [],
  );

  test.each(schemas.map(([name]) => name))('%s is a JSON schema', name => {
    expect(ajv.getSchema(`#/components/schemas/${name}`)).toBeInstanceOf(Function);
  });

  test.each(examples)('the example of %s fits it', (name, example) => {
    const validate = ajv.getSchema(`#/components/schemas/${name}`)!;
    void validate(example);
    expect(validate.errors ?? []).toEqual([]);
  });

  test('a job request may be repeated word for word as the document shows it', () => {
    expect(examples.map(([name]) => name)).toEqual(
      expect.arrayContaining(['JobRequest', 'Enrolment', 'Problem']),
    );
  });
});
