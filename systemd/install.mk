# install.mk - where everything goes. Included by the Makefile.
#
#   make install [DESTDIR=/tmp/root] [PREFIX=/usr] [SYSCONFDIR=/etc] [LIBDIR=...]
#
# Units name /usr/sbin as they stand here, so that they can be checked; that is
# replaced by the real place. What users own (configuration, keys, the queue) is
# never overwritten and never removed.

SYSCONFDIR ?= /etc
SBINDIR    ?= $(PREFIX)/sbin
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/forebay

# A directory of the service manager; the second, where it does not say.
systemd_dir = $(or $(shell pkg-config --variable=$(1) systemd 2>/dev/null),$(2))
UNITDIR     ?= $(call systemd_dir,systemdsystemunitdir,$(PREFIX)/lib/systemd/system)
SYSUSERSDIR ?= $(call systemd_dir,sysusersdir,$(PREFIX)/lib/sysusers.d)
TMPFILESDIR ?= $(call systemd_dir,tmpfilesdir,$(PREFIX)/lib/tmpfiles.d)
CATALOGDIR  ?= $(call systemd_dir,catalogdir,$(PREFIX)/lib/systemd/catalog)

# Older versions warn of keys they do not know, at every reload.
SYSTEMD_VERSION ?= $(or $(shell pkg-config --modversion systemd 2>/dev/null),0)
drop_in    = $(shell [ "$(firstword $(subst ., ,$(SYSTEMD_VERSION)))" -ge $(1) ] && echo $(2))
DROP_INS   = $(call drop_in,257,50-v257.conf) $(call drop_in,260,60-v260.conf)

SOVERSION  := 0
in_place    = sed -e 's|/usr/sbin|$(SBINDIR)|g' -e 's|/etc/forebay|$(SYSCONFDIR)/forebay|g'
# Whatever the umask of whoever installs.
to          = install -m 0644 /dev/stdin
MANUALS     = $(wildcard client/*.scd daemon/*.scd protocol/*.scd)
# forebay.1.scd -> 1/forebay.1, below MANDIR/man
manual      = $(subst .,,$(suffix $(basename $(1))))/$(basename $(notdir $(1)))

install: $(OUT)/forebayd $(OUT)/forebay $(OUT)/libforebay.a $(OUT)/libforebay.so ## install below PREFIX (/usr/local), DESTDIR before it
	install -d $(addprefix $(DESTDIR),$(SBINDIR) $(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR))
	install -d $(addprefix $(DESTDIR),$(UNITDIR) $(SYSUSERSDIR) $(TMPFILESDIR) $(CATALOGDIR))
	install -d $(DESTDIR)$(SYSCONFDIR)/forebay/forebayd.conf.d
	install -d -m 0700 $(DESTDIR)$(SYSCONFDIR)/forebay/keys.d
	install -d -m 0700 $(DESTDIR)$(SYSCONFDIR)/forebay/keys.encrypted.d
	install $(OUT)/forebayd $(DESTDIR)$(SBINDIR)/forebayd
	install $(OUT)/forebay $(DESTDIR)$(BINDIR)/forebay
	install -m 0644 client/forebay.h $(DESTDIR)$(INCLUDEDIR)/forebay.h
	install -m 0644 client/forebay_loop.h $(DESTDIR)$(INCLUDEDIR)/forebay_loop.h
	install -m 0644 $(OUT)/libforebay.a $(DESTDIR)$(LIBDIR)/libforebay.a
	install -m 0644 $(OUT)/libforebay.so $(DESTDIR)$(LIBDIR)/libforebay.so.$(VERSION)
	ln -sf libforebay.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libforebay.so.$(SOVERSION)
	ln -sf libforebay.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libforebay.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' \
		client/forebay.pc.in | $(to) $(DESTDIR)$(LIBDIR)/pkgconfig/forebay.pc
	install -d $(DESTDIR)$(DOCDIR)/examples
	install -m 0644 client/examples/*.c client/examples/README.md $(DESTDIR)$(DOCDIR)/examples
	$(in_place) systemd/forebayd.service | $(to) $(DESTDIR)$(UNITDIR)/forebayd.service
	$(in_place) systemd/forebayd.socket | $(to) $(DESTDIR)$(UNITDIR)/forebayd.socket
	$(in_place) systemd/forebayd-http.socket | $(to) $(DESTDIR)$(UNITDIR)/forebayd-http.socket
	set -e; for f in $(DROP_INS); do \
		install -D -m 0644 systemd/drop-ins/$$f \
			$(DESTDIR)$(UNITDIR)/forebayd.service.d/$$f; \
	done
	install -m 0644 systemd/forebay.sysusers $(DESTDIR)$(SYSUSERSDIR)/forebay.conf
	$(in_place) systemd/forebay.tmpfiles | $(to) $(DESTDIR)$(TMPFILESDIR)/forebay.conf
	install -m 0644 systemd/forebay.catalog $(DESTDIR)$(CATALOGDIR)/forebay.catalog
	[ -e $(DESTDIR)$(SYSCONFDIR)/forebay/forebayd.conf ] || \
		install -m 0644 daemon/forebayd.conf $(DESTDIR)$(SYSCONFDIR)/forebay/forebayd.conf
	set -e; $(foreach m,$(MANUALS),install -d $(DESTDIR)$(MANDIR)/man$(dir $(call manual,$(m))); \
		scdoc <$(m) | $(to) $(DESTDIR)$(MANDIR)/man$(call manual,$(m));) :
	@[ -n "$(DESTDIR)" ] || printf '%s\n' '' 'Installed. To start it:' \
		'    systemd-sysusers && systemd-tmpfiles --create && journalctl --update-catalog' \
		'    ldconfig && systemctl daemon-reload' \
		'    # put the API key into $(SYSCONFDIR)/forebay/keys.d/claude, mode 0600' \
		'    systemctl enable --now forebayd.socket forebayd-http.socket forebayd.service'

uninstall: ## remove what install put there; configuration and queue stay
	rm -f $(DESTDIR)$(SBINDIR)/forebayd $(DESTDIR)$(BINDIR)/forebay
	rm -f $(DESTDIR)$(INCLUDEDIR)/forebay.h $(DESTDIR)$(INCLUDEDIR)/forebay_loop.h
	rm -f $(DESTDIR)$(LIBDIR)/pkgconfig/forebay.pc
	rm -f $(DESTDIR)$(LIBDIR)/libforebay.a $(DESTDIR)$(LIBDIR)/libforebay.so
	rm -f $(DESTDIR)$(LIBDIR)/libforebay.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libforebay.so.$(VERSION)
	rm -f $(DESTDIR)$(UNITDIR)/forebayd.service $(DESTDIR)$(UNITDIR)/forebayd.socket \
	      $(DESTDIR)$(UNITDIR)/forebayd-http.socket
	rm -f $(DESTDIR)$(UNITDIR)/forebayd.service.d/50-v257.conf
	rm -f $(DESTDIR)$(UNITDIR)/forebayd.service.d/60-v260.conf
	-rmdir $(DESTDIR)$(UNITDIR)/forebayd.service.d 2>/dev/null
	rm -f $(DESTDIR)$(SYSUSERSDIR)/forebay.conf $(DESTDIR)$(TMPFILESDIR)/forebay.conf
	rm -f $(DESTDIR)$(CATALOGDIR)/forebay.catalog
	rm -f $(addprefix $(DESTDIR)$(DOCDIR)/,$(patsubst client/%,%,$(wildcard client/examples/*)))
	-rmdir $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(DOCDIR) 2>/dev/null
	rm -f $(foreach m,$(MANUALS),$(DESTDIR)$(MANDIR)/man$(call manual,$(m)))
	@echo 'Kept: $(SYSCONFDIR)/forebay (configuration, keys) and /var/lib/forebay (the queue).'
