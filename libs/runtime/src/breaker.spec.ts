import { expect, test } from '@jest/globals';
import { breaker } from './breaker.js';

test('a single failure does not open the circuit', async () => {
  let down = true;
  const circuit = breaker('database', async (value: number) => {
    if (down) throw new Error('down');
    return value + 1;
  });
  await expect(circuit.fire(1)).rejects.toThrow('down');
  down = false;
  expect(await circuit.fire(1)).toBe(2);
  circuit.shutdown();
});

test('when a dependency keeps failing it is left alone', async () => {
  let calls = 0;
  const circuit = breaker('database', async () => {
    calls += 1;
    throw new Error('down');
  });
  const answers = [];
  for (let count = 0; count < 40; count++) answers.push(await circuit.fire().catch((error: Error) => error));
  expect(calls).toBeLessThan(20);
  expect(answers.at(-1)).toMatchObject({ code: 'EOPENBREAKER' });
  circuit.shutdown();
});
