import type { RuntimeKind } from '@astro/messages/runtimes';
import { ContainerRuntime } from '../container/container-runtime.js';
import type { NodeAgentConfig } from '../node-agent.config.js';
import { deviceIdsOf } from '../probe/offer.js';
import type { Machine } from '../probe/machine.js';
import { ProcessRuntime } from '../process/process-runtime.js';
import type { TaskRuntime } from './task-runtime.js';
import { WasmRuntime } from './wasm-runtime.js';

/** What the operator allows, whether it works here or not. */
export const runtimesOf = (config: NodeAgentConfig, machine: Machine): readonly TaskRuntime[] =>
  config.RUNTIMES.map(kind => runtimeOf(kind, config, machine));

function runtimeOf(kind: RuntimeKind, config: NodeAgentConfig, machine: Machine): TaskRuntime {
  const stateDir = config.AGENT_STATE_DIR;
  switch (kind) {
    case 'wasm':
      return new WasmRuntime();
    case 'process':
      return new ProcessRuntime({
        bubblewrap: config.BUBBLEWRAP,
        stateDir,
        rootFolder: config.PROCESS_ROOT,
        networkNamespace: config.PROCESS_NETWORK_NAMESPACE,
        limits: config.PROCESS_LIMITS,
        firstUserId: config.PROCESS_FIRST_USER_ID,
      });
    case 'container':
      return new ContainerRuntime({
        engine: config.CONTAINER_ENGINE,
        stateDir,
        network: config.CONTAINER_NETWORK,
        deviceIds: deviceIdsOf(machine),
      });
  }
}
