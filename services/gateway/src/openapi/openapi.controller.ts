import { Controller, Inject } from '@nestjs/common';
import { z } from 'zod';
import { Operation } from './operation.js';

/** Under this token the module provides the document, made once at start. */
export const OPENAPI_DOCUMENT = Symbol('OpenAPI document');

@Controller()
export class OpenApiController {
  constructor(@Inject(OPENAPI_DOCUMENT) private readonly document: object) {}

  @Operation('GET', '/v1/openapi.json', {
    summary: 'This document',
    callers: [],
    answers: { 200: { description: 'OpenAPI 3.1', schema: z.record(z.string(), z.unknown()) } },
  })
  get(): object {
    return this.document;
  }
}
