import {
  applyDecorators,
  RequestMapping,
  RequestMethod,
  SetMetadata,
  UseGuards,
  UsePipes,
} from '@nestjs/common';
import type { z } from 'zod';
import { ALLOWED_CALLERS, AuthenticationGuard } from '../http/authentication.guard.js';
import type { CallerKind } from '../http/caller.js';
import type { ProblemCode } from '../http/problem.js';
import { RequestValidation } from '../http/validation.js';

export type Answer = {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** JSON when there is a schema and this is not given. */
  readonly contentType?: 'application/octet-stream' | 'text/event-stream' | '*/*';
  /** What a client can have in place of JSON. */
  readonly alsoAs?: 'application/pdf';
  readonly headers?: Readonly<Record<string, z.ZodType>>;
};

export type Method = 'DELETE' | 'GET' | 'HEAD' | 'PATCH' | 'POST' | 'PUT';

/**
 * One route, whole: what the server does with a request and what the OpenAPI document says are the same
 * thing.
 */
export type OperationDescription = {
  readonly summary: string;
  readonly description?: string;
  /** Who may use it; nobody named means everybody. */
  readonly callers: readonly CallerKind[];
  readonly pathParameters?: Readonly<Record<string, z.ZodType>>;
  readonly headers?: Readonly<Record<string, z.ZodType>>;
  readonly query?: z.ZodObject;
  /** A JSON body. */
  readonly body?: z.ZodType;
  /** The body is bytes, which the handler reads itself. */
  readonly binaryBody?: true;
  /** Request and answer are those of a tenant's own program: nothing of them is parsed, recorded or repeated. */
  readonly isPassedOn?: true;
  readonly answers: Readonly<Record<number, Answer>>;
  /** Beside those that any route can answer. */
  readonly problems?: readonly ProblemCode[];
};
export type RoutedOperation = OperationDescription & { readonly method: Method; readonly path: string };

export const OPERATION = 'astro:operation';

/** Routes `method path` to the handler, checks the caller and the request, and describes both. */
export const Operation = (method: Method, path: string, description: OperationDescription): MethodDecorator =>
  applyDecorators(
    RequestMapping({ method: RequestMethod[method], path }),
    UsePipes(new RequestValidation(description)),
    SetMetadata(OPERATION, { ...description, method, path }),
    SetMetadata(ALLOWED_CALLERS, description.callers),
    ...(description.callers.length > 0 ? [UseGuards(AuthenticationGuard)] : []),
  );
