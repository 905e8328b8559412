// What a process and all that it started have used, as Linux tells it; nothing where there is no /proc.
import { readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';

// USER_HZ, which is 100 on every Linux that Node runs on.
const TICKS_PER_SECOND = 100;
/** TCP_LISTEN. */
const LISTEN = '0A';

/** Seconds of CPU that the tree of this process has used so far. */
export function cpuSeconds(root) {
  const ticks = tree(root).map(({ user, system }) => user + system);
  return ticks.reduce((sum, value) => sum + value, 0) / TICKS_PER_SECOND;
}

/** The most memory in bytes that any process of this name in the tree has held. */
export function peakMemory(root, wanted) {
  return Math.max(0, ...tree(root).filter(({ name }) => name === wanted).map(({ pid }) => statusBytes(pid, 'VmHWM')));
}

/** The memory in bytes that the largest process of this name in the tree holds now. */
export function residentMemory(root, wanted) {
  return Math.max(0, ...tree(root).filter(({ name }) => name === wanted).map(({ pid }) => statusBytes(pid, 'VmRSS')));
}

/** Lets peaks be measured from now on. */
export function forgetPeaks(root) {
  for (const { pid } of tree(root)) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
    } catch {
      // A peak of before stays; it is reported, not judged.
    }
  }
}

/** The ports of IPv4 at which processes of this name in the tree listen. */
export function listeningPorts(root, wanted) {
  const sockets = new Set(tree(root).filter(({ name }) => name === wanted).flatMap(({ pid }) => openFiles(pid)));
  const lines = read('/proc/net/tcp').trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/));
  const listening = lines.filter(([, , , state, , , , , , inode]) => state === LISTEN && sockets.has(`socket:[${inode}]`));
  return listening.map(([, address]) => parseInt(address.split(':')[1], 16));
}

/** What Linux says of the files that a process has open. */
function openFiles(pid) {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).map((file) => readlinkSync(`${folder}/${file}`));
  } catch {
    // It has ended since, or closed one of them.
    return [];
  }
}

/** A field that Linux tells in kilobytes, in bytes. */
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

// Fields are counted from the bracket that closes the name, which may itself hold spaces and brackets.
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
