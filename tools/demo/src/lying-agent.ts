import { startNodeAgent } from '@astro/node-agent/start-node-agent';

/**
 * The real agent with one difference: it changes one bit in everything a program wrote. What it stores and reports
 * is consistent in itself, so that nothing but the comparison with another node can give it away.
 */
await startNodeAgent({
  runtime: own => ({
    async run(assignment, files, signal) {
      const result = await own.run(assignment, files, signal);
      return {
        ...result,
        outputs: result.outputs.map(({ name, bytes }) => ({ name, bytes: withOneBitFlipped(bytes) })),
      };
    },
  }),
});

function withOneBitFlipped(bytes: Uint8Array): Uint8Array {
  const forged = Uint8Array.from(bytes);
  if (forged.length > 0) forged[0]! ^= 1;
  return forged;
}
