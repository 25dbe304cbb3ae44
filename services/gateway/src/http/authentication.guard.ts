import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller, CallerKind } from './caller.js';
import { Authentication } from './authentication.js';
import { Problem } from './problem.js';
import { RateLimit } from './rate-limit.js';

/** Metadata key of the kinds of caller that may use a route. */
export const ALLOWED_CALLERS = 'astro:allowed-callers';

@Injectable()
export class AuthenticationGuard implements CanActivate {
  constructor(
    private readonly authentication: Authentication,
    private readonly rateLimit: RateLimit,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const caller = await this.authenticate(request, reply);
    this.admit(`${caller.kind}:${caller.id}`, reply);
    const allowed = this.reflector.get<readonly CallerKind[]>(ALLOWED_CALLERS, context.getHandler());
    if (!allowed.includes(caller.kind)) {
      const detail = `This needs ${allowed.map(kind => credentialOf[kind]).join(' or ')}`;
      throw new Problem('caller_not_allowed', { detail });
    }
    request.caller = caller;
    return true;
  }

  /** A refused credential costs its sender's address a token, so that guessing is slowed down too. */
  private async authenticate(request: FastifyRequest, reply: FastifyReply): Promise<Caller> {
    try {
      return await this.authentication.callerOf(request.headers.authorization);
    } catch (error) {
      if (error instanceof Problem && error.status === 401) this.admit(`address:${request.ip}`, reply);
      throw error;
    }
  }

  private admit(caller: string, reply: FastifyReply): void {
    const { isAdmitted, headers } = this.rateLimit.admit(caller, Date.now());
    if (!isAdmitted) throw new Problem('rate_limited', { headers });
    reply.headers(headers);
  }
}

const credentialOf: Readonly<Record<CallerKind, string>> = {
  tenant: "a tenant's API key",
  operator: "an operator's API key",
  node: "a node's token",
};
