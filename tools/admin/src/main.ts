import { CommandBus } from '@astro/jetstream/command-bus';
import { Administration } from './administration.js';
import { connectBus, homeIn, readConnection } from './connection.js';
import { readRequest, UsageError, type Request } from './request.js';

/** `npm run admin`: one administrative command to the platform that runs from the state folder. */
async function main(args: readonly string[]): Promise<void> {
  const request = readRequest(args);
  const bus = await connectBus(readConnection(homeIn(process.env)), 'admin');
  try {
    console.log(await perform(request, new Administration(new CommandBus(bus, `admin-${process.pid}`))));
  } finally {
    await bus.close();
  }
}

async function perform(request: Request, administration: Administration): Promise<string> {
  switch (request.kind) {
    case 'tenant': {
      const { tenantId, apiKey } = await administration.registerTenant(request.name);
      return `tenant   ${tenantId}\nAPI key  ${apiKey}  (shown only here)`;
    }
    case 'operator': {
      const { operatorId, apiKey } = await administration.registerOperator(request.name);
      return `operator  ${operatorId}\nAPI key   ${apiKey}  (shown only here)`;
    }
    case 'credit':
      await administration.credit(request.tenantId, request.amountAtto);
      return `credited ${request.amountAtto} base units to ${request.tenantId}`;
    case 'attest': {
      const { nodeId, attestation: kind, evidenceDigest, hours } = request;
      const acceptedAt = new Date();
      const expiresAt = new Date(acceptedAt.getTime() + hours * 3_600_000);
      await administration.attest(nodeId, { kind, evidenceDigest, acceptedAt, expiresAt });
      return `accepted ${kind} of ${nodeId} until ${expiresAt.toISOString()}`;
    }
    case 'revoke-attestation':
      await administration.revokeAttestation(request.nodeId, request.reason);
      return `nothing is accepted of ${request.nodeId} any more`;
    case 'revoke-node':
      await administration.revokeNode(request.nodeId, request.reason);
      return `${request.nodeId} is cut off, and nothing that it was given counts any more`;
    case 'reinstate-node':
      await administration.reinstateNode(request.nodeId);
      return `${request.nodeId} may come back`;
    case 'resume-settlement':
      await administration.resumeSettlement(request.chainId, request.reason);
      return `settlement on chain ${request.chainId} goes on`;
    case 'decide-case':
      await administration.decideCase(request.faultId, request.isRight, request.reason);
      return `the accusation of ${request.faultId} is ${request.isRight ? 'right' : 'wrong'}`;
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
