/* Proof that a step sees no network: only `lo`, up, with the default route that mock gives it. */
#include "runner.h"

#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool has_network(void)
{
    struct if_nameindex *all = if_nameindex();
    bool found = false;
    for (struct if_nameindex *one = all; one != NULL && one->if_index != 0; one++)
        found = found || strcmp(one->if_name, "lo") != 0;
    if (all != NULL)
        if_freenameindex(all);
    return found;
}

static bool only_loopback(struct status *status)
{
    struct if_nameindex *all = if_nameindex();
    bool found = false;
    bool alone = true;
    if (all == NULL) {
        say(status, "offline probe: cannot list network interfaces: %s", strerror(errno));
        return false;
    }
    for (struct if_nameindex *one = all; one->if_index != 0; one++) {
        if (strcmp(one->if_name, "lo") == 0) {
            found = true;
        } else {
            say(status, "offline probe: there is a network interface %s", one->if_name);
            alone = false;
        }
    }
    if_freenameindex(all);
    if (!found)
        say(status, "offline probe: there is no network interface lo");
    return found && alone;
}

static bool bring_up(int fd, struct status *status)
{
    struct ifreq request = {.ifr_name = "lo"};
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP))
        return true;
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) == 0)
        return true;
    say(status, "offline probe: lo is down and cannot be brought up: %s", strerror(errno));
    return false;
}

/* Without it a program that connects to an outside address gets another error than under mock; without NET_ADMIN in the
 * container it cannot be had, and nothing else is lost. */
static void add_default_route(int fd, struct status *status)
{
    struct rtentry route = {.rt_flags = RTF_UP, .rt_dev = "lo"};
    struct sockaddr_in any = {.sin_family = AF_INET};
    memcpy(&route.rt_dst, &any, sizeof any);
    memcpy(&route.rt_genmask, &any, sizeof any);
    if (ioctl(fd, SIOCADDRT, &route) != 0 && errno != EEXIST)
        say(status, "no default route by way of lo: %s", strerror(errno));
}

bool prove_offline(struct status *status)
{
    bool leaving = has_network();
    if (leaving && !leave_network(status))
        return false;
    if (!only_loopback(status))
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        say(status, "offline probe: no socket: %s", strerror(errno));
        return false;
    }
    bool up = bring_up(fd, status);
    if (up)
        add_default_route(fd, status);
    close(fd);
    return up && (!leaving || give_up_capabilities(status));
}
