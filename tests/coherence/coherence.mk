# SPDX-License-Identifier: GPL-2.0-or-later
# coherence-check: replays what test_coherence did in Bochs through the oracle's caches.

COHERENCE_O := $(patsubst %.c,$(B)/%.o,$(filter-out %/main.c,$(wildcard tests/coherence/*.c)))

$(B)/tests/coherence/%.o: tests/coherence/%.c
	@mkdir -p $(@D)
	$(call step,CC)$(CC) $(T_CFLAGS) -c $< -o $@

$(B)/tests/coherence/coherence-check: $(B)/tests/coherence/main.o $(COHERENCE_O) $(ORACLE_O)
	$(call step,LD)$(CC) $(U_LDFLAGS) $^ -o $@

# As the oracle's own tests: nothing of the product is linked.
$(B)/tests/unit/test_coherence_%: tests/unit/test_coherence_%.c $(COHERENCE_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $< -o $@ $(COHERENCE_O) $(ORACLE_O) -lcmocka
