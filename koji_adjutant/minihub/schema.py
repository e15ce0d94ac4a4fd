"""Tables of the embedded hub: the real hub's, with little history and without what no builder ever asks for.

Times are seconds since the epoch. Which builds a tag had at an event is known, and when a tag was changed
(`tag_updates`). Other configuration (tags, hosts, targets) has no history: a query "at an event" answers with the present,
which is what a hub for one person or one test has anyway.
"""

from __future__ import annotations

import koji

# Of the tables below. A directory of another version is refused: nothing in an embedded hub cannot be made again.
VERSION = 4

TABLES = """
CREATE TABLE sys_data (name TEXT PRIMARY KEY, data JSON);
CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL);
CREATE TABLE permissions (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT);
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, password TEXT,
    status INTEGER NOT NULL DEFAULT 0, usertype INTEGER NOT NULL DEFAULT 0);
CREATE TABLE user_perms (
    user_id INTEGER NOT NULL REFERENCES users(id), perm_id INTEGER NOT NULL REFERENCES permissions(id),
    PRIMARY KEY (user_id, perm_id));
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL REFERENCES users(id), key TEXT NOT NULL,
    authtype INTEGER NOT NULL, hostip TEXT NOT NULL, master INTEGER REFERENCES sessions(id), callnum INTEGER,
    start_time REAL NOT NULL, update_time REAL NOT NULL, renew_time REAL,
    exclusive BOOLEAN, expired BOOLEAN NOT NULL DEFAULT 0, closed BOOLEAN NOT NULL DEFAULT 0);
CREATE TABLE channels (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, description TEXT,
    enabled BOOLEAN NOT NULL DEFAULT 1, comment TEXT);
CREATE TABLE host (
    id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL REFERENCES users(id), name TEXT NOT NULL UNIQUE,
    update_time REAL, task_load REAL NOT NULL DEFAULT 0, ready BOOLEAN NOT NULL DEFAULT 0,
    arches TEXT, capacity REAL NOT NULL DEFAULT 2.0, description TEXT, comment TEXT,
    enabled BOOLEAN NOT NULL DEFAULT 1);
CREATE TABLE host_channels (
    host_id INTEGER NOT NULL REFERENCES host(id), channel_id INTEGER NOT NULL REFERENCES channels(id),
    PRIMARY KEY (host_id, channel_id));
CREATE TABLE task (
    id INTEGER PRIMARY KEY AUTOINCREMENT, state INTEGER NOT NULL, create_time REAL NOT NULL, start_time REAL,
    completion_time REAL, channel_id INTEGER NOT NULL REFERENCES channels(id), host_id INTEGER REFERENCES host(id),
    parent INTEGER REFERENCES task(id), label TEXT, waiting BOOLEAN, awaited BOOLEAN,
    owner INTEGER NOT NULL REFERENCES users(id), method TEXT NOT NULL, request TEXT NOT NULL, result TEXT,
    arch TEXT NOT NULL, priority INTEGER NOT NULL, weight REAL NOT NULL DEFAULT 1.0,
    UNIQUE (parent, label));
CREATE INDEX task_by_state ON task (state);
CREATE INDEX task_by_host ON task (host_id);
CREATE TABLE scheduler_host_data (host_id INTEGER PRIMARY KEY REFERENCES host(id), data JSON);
CREATE TABLE scheduler_task_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_id INTEGER NOT NULL REFERENCES task(id),
    host_id INTEGER NOT NULL REFERENCES host(id), active BOOLEAN NOT NULL DEFAULT 1, create_time REAL NOT NULL);
CREATE TABLE scheduler_task_refusals (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_id INTEGER NOT NULL REFERENCES task(id),
    host_id INTEGER NOT NULL REFERENCES host(id), soft BOOLEAN NOT NULL, by_host BOOLEAN NOT NULL,
    msg TEXT, time REAL NOT NULL, UNIQUE (task_id, host_id));
CREATE TABLE scheduler_log_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, task_id INTEGER, host_id INTEGER, msg TEXT NOT NULL, msg_time REAL NOT NULL);
CREATE TABLE tag (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, arches TEXT,
    locked BOOLEAN NOT NULL DEFAULT 0, maven_support BOOLEAN NOT NULL DEFAULT 0,
    maven_include_all BOOLEAN NOT NULL DEFAULT 0, extra JSON);
CREATE TABLE tag_inheritance (
    tag_id INTEGER NOT NULL REFERENCES tag(id), parent_id INTEGER NOT NULL REFERENCES tag(id),
    priority INTEGER NOT NULL, maxdepth INTEGER, intransitive BOOLEAN NOT NULL DEFAULT 0,
    noconfig BOOLEAN NOT NULL DEFAULT 0, pkg_filter TEXT NOT NULL DEFAULT '', PRIMARY KEY (tag_id, priority));
CREATE TABLE tag_updates (
    tag_id INTEGER NOT NULL REFERENCES tag(id), update_event INTEGER NOT NULL REFERENCES events(id),
    PRIMARY KEY (tag_id, update_event));
CREATE TABLE build_target (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    build_tag INTEGER NOT NULL REFERENCES tag(id), dest_tag INTEGER NOT NULL REFERENCES tag(id));
CREATE TABLE package (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE tag_packages (
    tag_id INTEGER NOT NULL REFERENCES tag(id), package_id INTEGER NOT NULL REFERENCES package(id),
    owner INTEGER NOT NULL REFERENCES users(id), extra_arches TEXT, blocked BOOLEAN NOT NULL DEFAULT 0,
    PRIMARY KEY (tag_id, package_id));
CREATE TABLE groups (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE group_package_listing (
    tag_id INTEGER NOT NULL REFERENCES tag(id), group_id INTEGER NOT NULL REFERENCES groups(id),
    package TEXT NOT NULL, PRIMARY KEY (tag_id, group_id, package));
CREATE TABLE external_repo (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, url TEXT NOT NULL, directory TEXT, data JSON);
CREATE TABLE tag_external_repos (
    tag_id INTEGER NOT NULL REFERENCES tag(id), external_repo_id INTEGER NOT NULL REFERENCES external_repo(id),
    priority INTEGER NOT NULL, merge_mode TEXT NOT NULL DEFAULT 'koji', arches TEXT, PRIMARY KEY (tag_id, priority));
CREATE TABLE repo (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tag_id INTEGER NOT NULL REFERENCES tag(id), state INTEGER NOT NULL,
    create_event INTEGER NOT NULL REFERENCES events(id), creation_time REAL NOT NULL, state_time REAL NOT NULL,
    task_id INTEGER REFERENCES task(id), dist BOOLEAN NOT NULL DEFAULT 0, opts JSON, custom_opts JSON);
CREATE TABLE repo_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT, create_time REAL NOT NULL, owner INTEGER NOT NULL REFERENCES users(id),
    priority INTEGER NOT NULL, tag_id INTEGER NOT NULL REFERENCES tag(id), at_event INTEGER REFERENCES events(id),
    min_event INTEGER REFERENCES events(id), opts JSON NOT NULL, update_time REAL NOT NULL,
    active BOOLEAN NOT NULL DEFAULT 1, task_id INTEGER REFERENCES task(id), tries INTEGER NOT NULL DEFAULT 0,
    repo_id INTEGER REFERENCES repo(id));
CREATE TABLE build (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pkg_id INTEGER NOT NULL REFERENCES package(id), version TEXT NOT NULL,
    release TEXT NOT NULL, epoch INTEGER, draft BOOLEAN NOT NULL DEFAULT 0, source TEXT,
    create_event INTEGER NOT NULL REFERENCES events(id), start_time REAL, completion_time REAL, promotion_time REAL,
    state INTEGER NOT NULL, task_id INTEGER REFERENCES task(id), owner INTEGER NOT NULL REFERENCES users(id),
    promoter INTEGER REFERENCES users(id), extra JSON, UNIQUE (pkg_id, version, release));
CREATE TABLE build_types (
    build_id INTEGER NOT NULL REFERENCES build(id), btype TEXT NOT NULL, info JSON, PRIMARY KEY (build_id, btype));
CREATE TABLE tag_listing (
    tag_id INTEGER NOT NULL REFERENCES tag(id), build_id INTEGER NOT NULL REFERENCES build(id),
    create_event INTEGER NOT NULL REFERENCES events(id), revoke_event INTEGER REFERENCES events(id),
    creator_id INTEGER NOT NULL REFERENCES users(id), revoker_id INTEGER REFERENCES users(id));
CREATE UNIQUE INDEX tag_listing_active ON tag_listing (tag_id, build_id) WHERE revoke_event IS NULL;
CREATE TABLE rpminfo (
    id INTEGER PRIMARY KEY AUTOINCREMENT, build_id INTEGER REFERENCES build(id), buildroot_id INTEGER,
    name TEXT NOT NULL, version TEXT NOT NULL, release TEXT NOT NULL, epoch INTEGER, arch TEXT NOT NULL,
    draft BOOLEAN NOT NULL DEFAULT 0, external_repo_id INTEGER NOT NULL DEFAULT 0 REFERENCES external_repo(id),
    payloadhash TEXT NOT NULL, size INTEGER NOT NULL, buildtime INTEGER NOT NULL);
CREATE UNIQUE INDEX rpminfo_nvra ON rpminfo (name, version, release, arch, external_repo_id) WHERE draft = 0;
CREATE INDEX rpminfo_build ON rpminfo (build_id);
CREATE TABLE rpmsigs (
    rpm_id INTEGER NOT NULL REFERENCES rpminfo(id), sigkey TEXT NOT NULL, sighash TEXT NOT NULL,
    PRIMARY KEY (rpm_id, sigkey));
CREATE TABLE archiveinfo (
    id INTEGER PRIMARY KEY AUTOINCREMENT, build_id INTEGER NOT NULL REFERENCES build(id), buildroot_id INTEGER,
    btype TEXT NOT NULL, type_id INTEGER NOT NULL, filename TEXT NOT NULL, size INTEGER NOT NULL,
    checksum TEXT NOT NULL, info JSON NOT NULL);
CREATE TABLE archive_rpm_components (
    archive_id INTEGER NOT NULL REFERENCES archiveinfo(id), rpm_id INTEGER NOT NULL REFERENCES rpminfo(id),
    PRIMARY KEY (archive_id, rpm_id));
CREATE TABLE build_notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL REFERENCES users(id),
    package_id INTEGER REFERENCES package(id), tag_id INTEGER REFERENCES tag(id),
    success_only BOOLEAN NOT NULL DEFAULT 0, email TEXT NOT NULL);
CREATE TABLE buildroot (
    id INTEGER PRIMARY KEY AUTOINCREMENT, host_id INTEGER NOT NULL REFERENCES host(id),
    repo_id INTEGER NOT NULL REFERENCES repo(id), task_id INTEGER NOT NULL REFERENCES task(id), arch TEXT NOT NULL,
    state INTEGER NOT NULL, create_event INTEGER NOT NULL REFERENCES events(id),
    retire_event INTEGER REFERENCES events(id));
CREATE TABLE buildroot_listing (
    buildroot_id INTEGER NOT NULL REFERENCES buildroot(id), rpm_id INTEGER NOT NULL REFERENCES rpminfo(id),
    is_update BOOLEAN NOT NULL, PRIMARY KEY (buildroot_id, rpm_id));
CREATE TABLE buildroot_archives (
    buildroot_id INTEGER NOT NULL REFERENCES buildroot(id), archive_id INTEGER NOT NULL REFERENCES archiveinfo(id),
    project_dep BOOLEAN NOT NULL, PRIMARY KEY (buildroot_id, archive_id));
"""

CHANNELS = ("default", "createrepo", "maven", "livecd", "appliance", "vm", "image", "livemedia", "runroot")

PERMISSIONS = {
    "admin": "Full administrator access. Perform all actions.",
    "dist-repo": "Create a dist-repo.",
    "draft-promoter": "Promote draft builds.",
    "host": "Add, remove, enable, disable hosts and channels.",
    "appliance": "Start appliance tasks.",
    "image": "Start image tasks.",
    "livecd": "Start livecd tasks.",
    "livemedia": "Start livemedia tasks.",
    "regen-repo": "Start newRepo tasks.",
    "repo": "Manage repos: newRepo, repoExpire, repoDelete, repoProblem.",
    "runroot": "Run commands in build roots.",
    "sign": "Import RPM signatures and write signed RPMs.",
    "tag": "Manage packages in tags: add, block, remove, and clone tags.",
    "target": "Add, edit, and remove targets.",
}

# In the real hub an rpm of a build here has external repo 0, named so.
INTERNAL_REPO = {"id": 0, "name": "INTERNAL", "url": ""}

OPEN_STATES = tuple(koji.TASK_STATES[name] for name in ("OPEN", "ASSIGNED"))
