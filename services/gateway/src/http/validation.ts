import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import { Problem, type FieldError } from './problem.js';

/** Names at most this many broken rules in one answer. */
const ERRORS_MAX = 20;
const DETAIL_LENGTH_MAX = 1_000;

export type RequestSchemas = { readonly body?: z.ZodType; readonly query?: z.ZodObject };

/** Gives a handler its body and query as their schemas output them. @throws Problem `request_invalid` */
export class RequestValidation implements PipeTransform {
  constructor(private readonly schemas: RequestSchemas) {}

  transform(value: unknown, { type }: ArgumentMetadata): unknown {
    const schema = type === 'body' ? this.schemas.body : type === 'query' ? this.schemas.query : undefined;
    if (!schema) return value;
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw requestInvalid(parsed.error.issues);
    return parsed.data;
  }
}

export function requestInvalid(issues: readonly z.core.$ZodIssue[]): Problem {
  const errors = issues.flatMap(fieldErrors).slice(0, ERRORS_MAX);
  return new Problem('request_invalid', {
    detail: errors.map(describe).join('; ').slice(0, DETAIL_LENGTH_MAX),
    errors,
  });
}

const describe = ({ field, rule }: FieldError) => (field === '' ? rule : `${field}: ${rule}`);

function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => ({ field: fieldAt([...issue.path, key]), rule: 'unknown field' }));
  }
  return [{ field: fieldAt(issue.path), rule: issue.message }];
}

/** `['tasks', 0, 'inputs', 1, 'cid']` is `tasks[0].inputs[1].cid`. */
const fieldAt = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((field, part) => {
    if (typeof part === 'number') return `${field}[${part}]`;
    return field === '' ? String(part) : `${field}.${String(part)}`;
  }, '');
