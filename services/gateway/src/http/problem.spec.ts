import { STATUS_CODES } from 'node:http';
import { expect, test } from '@jest/globals';
import { Problem, invalidField, problemDocument, problems, type ProblemCode } from './problem.js';

const codes = Object.keys(problems) as ProblemCode[];

test.each(codes)('%s has the status of an error and a document that fits its schema', code => {
  const document = new Problem(code, { detail: 'why', errors: [{ field: 'a', rule: 'b' }] }).document(
    'request_1',
  );
  expect(problemDocument.strict().parse(document)).toEqual(document);
  expect(document).toMatchObject({ code, status: problems[code][0], type: `urn:astro:problem:${code}` });
  expect(STATUS_CODES[document.status]).toBeDefined();
  expect(document.status).toBeGreaterThanOrEqual(400);
});

test('codes are snake case, because clients switch on them', () => {
  for (const code of codes) expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
});

test('what is not said is not in the document', () => {
  expect(Object.keys(new Problem('rate_limited').document('request_1')).sort()).toEqual(
    ['code', 'requestId', 'status', 'title', 'type'].sort(),
  );
});

test('a broken field is named', () => {
  expect(invalidField('quorum', 'must be at most 5').document('request_1')).toMatchObject({
    code: 'request_invalid',
    errors: [{ field: 'quorum', rule: 'must be at most 5' }],
  });
});
