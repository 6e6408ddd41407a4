// Runs processes in the tree of an image nearly as a container would: a root of their own that is read-only, the image's user,
// no capabilities, and only what is mounted to write to. Wants the rights to mount; elsewhere they run beside the tree's owner.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What is taken from this machine, since the base image is not there: the C library, and what every container has. */
const BORROWED = ['usr/lib', 'usr/lib64'].filter((path) => existsSync(`/${path}`));
const KERNEL = ['proc', 'dev'];

/** Mounts in a namespace of its own, so that all of it goes with the process; then the root is read-only. */
const MOUNTS = `
set -e
root=$1; work=$2; uid=$3; gid=$4; volumes=$5; shift 5
mount --bind "$root" "$root"
for path in ${BORROWED.join(' ')}; do
  mount --bind "/$path" "$root/$path"
  mount -o remount,bind,ro "$root/$path"
done
for path in ${KERNEL.join(' ')}; do mount --rbind "/$path" "$root/$path"; done
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$root/tmp"
for volume in $volumes; do mount --bind "\${volume%%:*}" "$root\${volume##*:}"; done
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs --bounding-set=-all,+setuid,+setgid,+sys_chroot \\
  unshare --root="$root" --wd="$work" --setgid="$gid" --setuid="$uid" "$@"
`;

const unshared = (...command) => [
  'unshare',
  ...['--mount', '--propagation', 'private', '--', ...command],
];

/** Whether processes may have a root of their own here. */
export function canMount() {
  const [command, ...args] = unshared('mount', '-t', 'tmpfs', 'tmpfs', '/mnt');
  return process.getuid() === 0 && spawnSync(command, args).status === 0;
}

/** Makes the places in a tree where something is mounted; a base image has the first, an engine makes the others. */
export function placesIn(tree, volumes) {
  for (const path of [...BORROWED, ...KERNEL, 'tmp', ...volumes.map((path) => path.slice(1))])
    mkdirSync(join(tree, path), { recursive: true });
  for (const name of ['lib', 'lib64'])
    if (!existsSync(join(tree, name))) symlinkSync(`usr/${name}`, join(tree, name));
}

/**
 * The command that runs `args` in an image, a stage of buildTrees().
 *
 * @param volumes - what is mounted to write to: directories of this machine by their paths in the image.
 */
export function inSandbox({ root, workdir, user }, args, volumes = {}) {
  const [uid, gid] = user.split(':');
  const mounted = Object.entries(volumes).map(([to, from]) => `${from}:${to}`);
  const [program, ...rest] = args;
  const own = [`/usr/local/bin/${program}`, ...rest];
  return unshared(
    'sh',
    '-c',
    MOUNTS,
    'sandbox',
    root,
    workdir,
    uid,
    gid,
    mounted.join(' '),
    ...own,
  );
}

/** The same without mounts: as the image's user where this process may become another, else as itself. */
export function besideOwner({ root, user }, args) {
  const [uid, gid] = user.split(':');
  const program = [join(root, 'usr/local/bin', args[0]), ...args.slice(1)];
  if (process.getuid() !== 0) return program;
  const nobody = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs'];
  return ['setpriv', ...nobody, '--bounding-set=-all', ...program];
}

/** Every file of a tree with its size and the time of its last change, to see whether somebody has written. */
export function stateOf(tree) {
  return readdirSync(tree, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile()) return path;
      const { size, mtimeMs } = statSync(path);
      return `${path} ${size} ${mtimeMs}`;
    })
    .toSorted();
}
