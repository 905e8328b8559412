// CPU time, memory and ports of a process and its descendants, from /proc on Linux; without /proc all are empty or zero.
import { readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';

// USER_HZ, which is 100 on all Linux systems that Node supports.
const TICKS_PER_SECOND = 100;
/** TCP_LISTEN. */
const LISTEN = '0A';

/** CPU seconds that the process tree has used so far. */
export function cpuSeconds(root) {
  const ticks = tree(root).map(({ user, system }) => user + system);
  return ticks.reduce((sum, value) => sum + value, 0) / TICKS_PER_SECOND;
}

/** Peak memory in bytes of the largest process of this name in the tree. */
export function peakMemory(root, wanted) {
  return Math.max(0, ...tree(root).filter(({ name }) => name === wanted).map(({ pid }) => statusBytes(pid, 'VmHWM')));
}

/** Resident memory in bytes of the largest process of this name in the tree. */
export function residentMemory(root, wanted) {
  return Math.max(0, ...tree(root).filter(({ name }) => name === wanted).map(({ pid }) => statusBytes(pid, 'VmRSS')));
}

/** Resets the peak memory of the process tree. */
export function forgetPeaks(root) {
  for (const { pid } of tree(root)) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
    } catch {
      // Without the permission the peak includes earlier work; it is reported and has no bar.
    }
  }
}

/** The IPv4 ports on which processes of this name in the tree listen. */
export function listeningPorts(root, wanted) {
  const sockets = new Set(tree(root).filter(({ name }) => name === wanted).flatMap(({ pid }) => openFiles(pid)));
  const lines = read('/proc/net/tcp').trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/));
  const listening = lines.filter(([, , , state, , , , , , inode]) => state === LISTEN && sockets.has(`socket:[${inode}]`));
  return listening.map(([, address]) => parseInt(address.split(':')[1], 16));
}

/** The targets of a process's open file descriptors. */
function openFiles(pid) {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).map((file) => readlinkSync(`${folder}/${file}`));
  } catch {
    // The process has ended, or closed a file meanwhile.
    return [];
  }
}

/** A field of /proc/PID/status in bytes; Linux reports it in kilobytes. */
function statusBytes(pid, field) {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(read(`/proc/${pid}/status`));
  return line ? Number(line[1]) * 1024 : 0;
}

function tree(root) {
  const all = existing().map(stat).filter((entry) => entry !== undefined);
  const found = all.filter(({ pid }) => pid === root);
  for (const { pid } of found) found.push(...all.filter(({ parent }) => parent === pid));
  return found;
}

function existing() {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

// Fields are counted from the last closing bracket, because the name may contain spaces and brackets.
function stat(pid) {
  const text = read(`/proc/${pid}/stat`);
  const close = text.lastIndexOf(')');
  if (close < 0) return undefined;
  const fields = text.slice(close + 2).split(' ');
  const [parent, user, system] = [1, 11, 12].map((index) => Number(fields[index]));
  return { pid: Number(pid), name: text.slice(text.indexOf('(') + 1, close), parent, user, system };
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
