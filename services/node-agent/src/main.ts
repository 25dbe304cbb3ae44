import { startNodeAgent } from './start-node-agent.js';

await startNodeAgent();
