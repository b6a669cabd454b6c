# SPDX-License-Identifier: GPL-2.0-or-later
# dmapat-conformance and its witnesses. Included by tests/tests.mk.

include tests/conformance/matrix/timing.mk

MATRIX := $(B)/tests/conformance/dmapat-conformance
MATRIX_O := $(patsubst %.c,$(B)/%.o,$(filter-out %/timing.c %/timing_classify.c,$(wildcard tests/conformance/matrix/*.c)))
MATRIX_JSON_O := $(patsubst %,$(B)/tests/report/%.o,cell_json verdict json utf8 why)
EMU_FILES += $(MATRIX)

$(MATRIX_O): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call step,CC)$(CC) $(T_CFLAGS) -c $< -o $@

$(MATRIX): $(MATRIX_O) $(TIMING_O) $(CONFORMANCE_O) $(MATRIX_JSON_O) $(ORACLE_O)
	$(call step,LD)$(CC) $(U_LDFLAGS) $^ -o $@ $(TIMING_LIBS) -lpthread

# A real host wants the program, too: see dmapat-conformance(1).
install-conformance: $(MATRIX)
	install -D -t $(DESTDIR)$(PREFIX)/bin $(MATRIX)

uninstall-conformance:
	rm -f $(DESTDIR)$(PREFIX)/bin/dmapat-conformance

install: install-conformance
uninstall: uninstall-conformance

.PHONY: install-conformance uninstall-conformance

# Its parts that need no machine.
$(B)/tests/unit/test_matrix_%: tests/unit/test_matrix_%.c $(filter-out %/main.o,$(MATRIX_O)) $(TIMING_O) $(CONFORMANCE_O) $(MATRIX_JSON_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $(filter %.c %.o,$^) -o $@ $(TIMING_LIBS) -lcmocka
