/** How the platform of a run is set up: follows from the seed alone, as the plan does. */
export type Settings = {
  /** After this long, the bus hands out again what a lane has taken and not acknowledged. */
  readonly ackWaitMs: number;
  /** Processes of each service. */
  readonly instances: number;
};

const usualAckWaitMs = 30_000;
/** Short pauses and partitions outlast it, so that consumers come back as zombies. */
const shortAckWaitMs = 6_000;
const everyFourth = (seed: number, remainder: number): boolean => seed % 4 === remainder;

export const settingsOf = (seed: number): Settings => ({
  ackWaitMs: everyFourth(seed, 1) ? usualAckWaitMs : shortAckWaitMs,
  instances: everyFourth(seed, 0) ? 2 : 1,
});

const services = ['registry', 'scheduling', 'verification', 'billing', 'gateway'] as const;

/** What the platform calls the processes of a service: by its name, and `<name>-2` and so on. */
export const processesOf = (service: string, { instances }: Settings): readonly string[] =>
  Array.from({ length: instances }, (_, index) => (index === 0 ? service : `${service}-${index + 1}`));

/** Services whose commands, reactors and projections pass the crash points. */
export const decidingProcesses = (settings: Settings): readonly string[] =>
  services.filter(name => name !== 'gateway').flatMap(name => processesOf(name, settings));

export const serviceProcesses = (settings: Settings): readonly string[] =>
  services.flatMap(name => processesOf(name, settings));
