// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the report prints: KTAP whose counts and nesting are right, JSON that a parser
 * takes and that says what was judged, a page that nothing in a log can break.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "report/cell_json.h"
#include "report/html.h"
#include "report/json.h"
#include "report/ktap.h"
#include "report/page.h"
#include "report/report_json.h"
#include "report/totals.h"
#include "report_folder.h"

/* What a log may hold to get out of a string, an attribute, an element, a line. */
#define HOSTILE		"</script><b>'\"&x\\"
#define HOSTILE_HTML	"&lt;/script&gt;&lt;b&gt;&#39;&quot;&amp;x\\"

static char *printed(const struct folder *folder,
		     void (*print)(FILE *out, const struct machine *machines, size_t n))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	print(out, &folder->machine, 1);
	fclose(out);
	return text;
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text += strlen(what);
	}
	return n;
}

/* A machine with everything in it, hostile text wherever a log can put it, nothing right. */
static void hostile_folder(struct folder *folder)
{
	struct cell cell = folder_cell();

	snprintf(cell.host, sizeof(cell.host), "%s", HOSTILE);
	snprintf(cell.moment, sizeof(cell.moment), "%s", HOSTILE "#2");
	cell.phase = 0;
	cell.spte = LEAF_WB_IGNORE;
	folder_log(folder, &cell);
	folder_write(folder, "matrix.log", "# cell " HOSTILE "\n");
	folder_write(folder, "matrix.log",
		     "# no-cell modules=dmapat host=" HOSTILE " page=4K bound=0 moment=* why=" HOSTILE "\n");
	folder_write(folder, "matrix.log", "# agree stage=" HOSTILE " bind=off vendor=intel ");
	folder_write(folder, "matrix.log", "host=" HOSTILE " memtype=WC kernel=WB leaf=WC ");
	folder_write(folder, "matrix.log", "map-info=WC gpu-pte=WC vmm-pte=WC guest-pat=WC ");
	folder_write(folder, "matrix.log", "spte=0x8600000005aebb0f level=1 host-pat=0\n");
	folder_write(folder, "a.coherence", "scenario " HOSTILE " cpu=x modules=stock host=" HOSTILE);
	folder_write(folder, "a.coherence", " memtype=WC accesses=9 reads=4 stale=1 lost=0 ");
	folder_write(folder, "a.coherence", "expect=none ok=0\nlines wf" HOSTILE "\n");
	folder_write(folder, "a.coherence", "stale read " HOSTILE "\n");
	folder_write(folder, "serial.log", "@boot " HOSTILE " model " HOSTILE "\n");
	folder_read(folder);
	assert_int_equal(folder->machine.n_verdicts, GRID_PATS);
	assert_int_equal(folder->machine.n_no_cells, 1);
	assert_int_equal(folder->machine.n_agreements, 1);
	assert_int_equal(folder->machine.n_blocks, 1);
	assert_int_equal(folder->machine.problems.n, 1);
	free(folder->machine.cpu);
	folder->machine.cpu = strdup(HOSTILE);
}

static void good_folder(struct folder *folder)
{
	struct cell cell = folder_cell();

	folder_log(folder, &cell);
	folder_coherence(folder);
	folder_trace(folder, LEAF_WC, 1, "WB");
	folder_write(folder, "serial.log", "@boot 6.12.117+deb12-amd64 An Intel CPU\n");
	folder_read(folder);
}

static void test_ktap(void **state)
{
	static const char expected[] =
		"KTAP version 1\n"
		"1..1\n"
		"    KTAP version 1\n"
		"    # Subtest: tigerlake\n"
		"    1..8\n"
		"    ok 1 dmapat wc-heap 4K unbound PAT WB first-touch: WC\n"
		"    ok 2 dmapat wc-heap 4K unbound PAT UC first-touch: fault\n"
		"    ok 3 dmapat wc-heap 4K unbound PAT UC- first-touch: fault\n"
		"    ok 4 dmapat wc-heap 4K unbound PAT WC first-touch: fault\n"
		"    ok 5 dmapat wc-heap 4K unbound PAT WT first-touch: fault\n"
		"    ok 6 dmapat wc-heap 4K unbound PAT WP first-touch: fault\n"
		"    ok 7 coherence dmapat wc-heap guest-writes: 0 stale, 0 lost\n"
		"    ok 8 coherence stock wc-heap guest-writes: 1 stale, 0 lost\n"
		"    # cells: 6 judged, 0 mismatches\n"
		"    # coherence: stock 1 stale reads of WC/UC buffers, dmapat 0\n"
		"    # agreement: 0 buffers, 0 disagree\n"
		"ok 1 tigerlake\n"
		"# cells: 6 judged, 0 mismatches\n"
		"# coherence: stock 1 stale reads of WC/UC buffers, dmapat 0\n"
		"# agreement: 0 buffers, 0 disagree\n";
	struct folder *folder = *state;
	char *text;

	good_folder(folder);
	text = printed(folder, ktap_print);
	assert_string_equal(text, expected);
	free(text);
}

static void test_ktap_hostile(void **state)
{
	struct folder *folder = *state;
	char *text, *line, *save;
	unsigned int i = 0;

	hostile_folder(folder);
	text = printed(folder, ktap_print);
	assert_non_null(strstr(text, "    1..9\n"));
	assert_int_equal(count(text, "    not ok "), 4);
	assert_int_equal(count(text, "    ok "), 5);
	assert_non_null(strstr(text, "\nnot ok 1 "));
	assert_non_null(strstr(text, "# cells: 6 judged, 1 mismatches\n"));
	assert_non_null(strstr(text, "# coherence: stock 1 stale reads of WC/UC buffers, dmapat 0\n"));
	assert_non_null(strstr(text, "# agreement: 1 buffers, 1 disagree\n"));
	/* one '#' a result: between description and reason */
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, "    not ok ", 11)) {
			assert_int_equal(count(line, "#"), 1);
			i++;
		}
	assert_int_equal(i, 4);
	free(text);
}

static cJSON *parsed(const struct folder *folder,
		     void (*print)(FILE *out, const struct machine *machines, size_t n))
{
	char *text = printed(folder, print);
	cJSON *array = cJSON_ParseWithOpts(text, NULL, 1);

	if (!array)
		fail_msg("no JSON: %s", text);
	free(text);
	assert_true(cJSON_IsArray(array));
	return array;
}

static void expect_text(const cJSON *object, const char *name, const char *value)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

	if (!cJSON_IsString(member))
		fail_msg("%s is no string", name);
	assert_string_equal(member->valuestring, value);
}

static void expect_truth(const cJSON *object, const char *name, bool value)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

	if (value ? !cJSON_IsTrue(member) : !cJSON_IsFalse(member))
		fail_msg("%s is not %d", name, value);
}

static void test_json_cells(void **state)
{
	struct folder *folder = *state;
	const cJSON *cell;
	cJSON *array;

	good_folder(folder);
	array = parsed(folder, report_json_cells);
	assert_int_equal(cJSON_GetArraySize(array), GRID_PATS);
	cell = cJSON_GetArrayItem(array, 0);
	expect_text(cell, "cpu", "tigerlake");
	expect_text(cell, "host", "wc-heap");
	expect_text(cell, "pat", "WB");
	expect_text(cell, "size", "4K");
	expect_text(cell, "moment", "first-touch");
	expect_text(cell, "leaf", "WC");
	expect_text(cell, "effective", "WC");
	expect_text(cell, "expected", "WC");
	expect_truth(cell, "ok", true);
	expect_text(cell, "modules", "dmapat");
	expect_truth(cell, "bound", false);
	expect_text(cell, "host_memtype", "WC");
	assert_int_equal(cJSON_GetObjectItem(cell, "level")->valueint, 1);
	expect_truth(cell, "ignore_pat", false);
	expect_text(cell, "entry", "0x8600000005aebb0f");
	expect_text(cell, "source", "trace");
	assert_null(cJSON_GetObjectItem(cell, "why"));
	cell = cJSON_GetArrayItem(array, 1);
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(cell, "leaf")));
	expect_text(cell, "effective", "fault");
	expect_text(cell, "expected", "fault");
	cJSON_Delete(array);
}

static void test_json_hostile(void **state)
{
	struct folder *folder = *state;
	const cJSON *object;
	cJSON *array;

	hostile_folder(folder);
	array = parsed(folder, report_json_cells);
	object = cJSON_GetArrayItem(array, 0);
	expect_text(object, "cpu", HOSTILE);
	expect_text(object, "host", HOSTILE);
	expect_text(object, "moment", HOSTILE "#2");
	expect_text(object, "leaf", "WB");
	expect_text(object, "effective", "WB");
	expect_text(object, "expected", "WC");
	expect_truth(object, "ok", false);
	expect_truth(object, "ignore_pat", true);
	expect_text(object, "source", "tracepoint");
	assert_true(cJSON_IsString(cJSON_GetObjectItem(object, "why")));
	cJSON_Delete(array);

	array = parsed(folder, report_json_agreements);
	assert_int_equal(cJSON_GetArraySize(array), 1);
	object = cJSON_GetArrayItem(array, 0);
	expect_text(object, "host", HOSTILE);
	expect_text(object, "stage", HOSTILE);
	expect_text(object, "kernel", "WB");
	expect_text(object, "memtype", "WC");
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(object, "gpu-traced")));
	expect_truth(object, "ok", false);
	cJSON_Delete(array);

	array = parsed(folder, report_json_coherence);
	assert_int_equal(cJSON_GetArraySize(array), 1);
	object = cJSON_GetArrayItem(array, 0);
	expect_text(object, "scenario", HOSTILE);
	expect_text(object, "lines", "wf" HOSTILE);
	assert_int_equal(cJSON_GetObjectItem(object, "stale")->valueint, 1);
	object = cJSON_GetArrayItem(cJSON_GetObjectItem(object, "findings"), 0);
	assert_string_equal(object->valuestring, "stale read " HOSTILE);
	cJSON_Delete(array);
}

static void test_json_empty(void **state)
{
	struct folder *folder = *state;
	cJSON *array;

	folder_read(folder);
	array = parsed(folder, report_json_cells);
	assert_int_equal(cJSON_GetArraySize(array), 0);
	cJSON_Delete(array);
}

static void expect_json(const char *text, const char *json)
{
	char *out = NULL;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	assert_non_null(file);
	json_string(file, text);
	fclose(file);
	assert_string_equal(out, json);
	free(out);
}

static void expect_html(const char *text, const char *html)
{
	char *out = NULL;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	assert_non_null(file);
	html_text(file, text);
	fclose(file);
	assert_string_equal(out, html);
	free(out);
}

#define BAD "\xef\xbf\xbd"

static void test_strings(void **state)
{
	(void)state;
	expect_json(NULL, "null");
	expect_json("", "\"\"");
	expect_json("a\"b\\c/", "\"a\\\"b\\\\c/\"");
	expect_json("\n\t\x01\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u001f\\u007f\"");
	expect_html("<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
	expect_html("a\tb\nc", "a\tb\nc");
	expect_html("\x01\x1b[H\x7f", BAD BAD "[H" BAD);
	/* characters of every length stay */
	expect_json("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
	expect_html("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	/* cut off, alone, too long a form, a surrogate, above U+10FFFF */
	expect_html("\xc3", BAD);
	expect_html("\xe2\x82", BAD BAD);
	expect_html("\x80x", BAD "x");
	expect_html("\xc0\xbc", BAD BAD);
	expect_html("\xe0\x80\xbc", BAD BAD BAD);
	expect_html("\xf0\x80\x80\xbc", BAD BAD BAD BAD);
	expect_html("\xed\xa0\x80", BAD BAD BAD);
	expect_html("\xf4\x90\x80\x80", BAD BAD BAD BAD);
	expect_html("\xff<", BAD "&lt;");
	expect_json("\xff\"", "\"" BAD "\\\"\"");
}

static void test_page_hostile(void **state)
{
	struct folder *folder = *state;
	char *text;

	hostile_folder(folder);
	text = printed(folder, page_print);
	/* nothing of it as markup; of each kind, escaped */
	assert_null(strstr(text, "<b>'"));
	assert_null(strstr(text, "</script"));
	assert_null(strstr(text, HOSTILE));
	assert_non_null(strstr(text, "guest caches"));
	assert_true(count(text, HOSTILE_HTML) > 10);
	assert_non_null(strstr(text, "stale read " HOSTILE_HTML));
	assert_non_null(strstr(text, "# cell " HOSTILE_HTML));
	/* it cannot run or load anything */
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "<link"));
	assert_null(strstr(text, "<img"));
	assert_null(strstr(text, "src="));
	assert_null(strstr(text, "url("));
	assert_null(strstr(text, "@import"));
	free(text);
}

static void test_page(void **state)
{
	struct folder *folder = *state;
	char *text;

	good_folder(folder);
	text = printed(folder, page_print);
	assert_non_null(strstr(text, "Every cell is as the manuals demand"));
	assert_null(strstr(text, "Failed"));
	assert_non_null(strstr(text, "6.12.117+deb12-amd64"));
	assert_non_null(strstr(text, "An Intel CPU"));
	assert_non_null(strstr(text, "6 judged, 0 mismatches"));
	assert_non_null(strstr(text, "wc-heap"));
	/* each element that is opened is closed */
	assert_int_equal(count(text, "<details"), count(text, "</details>"));
	assert_int_equal(count(text, "<section"), count(text, "</section>"));
	assert_int_equal(count(text, "<div"), count(text, "</div>"));
	assert_int_equal(count(text, "<ul"), count(text, "</ul>"));
	free(text);

	/* a wrong leaf is the first thing that is said */
	folder_remove(folder, "trace.log");
	folder_trace(folder, LEAF_WB_IGNORE, 1, "WB");
	folder_read(folder);
	text = printed(folder, page_print);
	assert_null(strstr(text, "Every cell is as the manuals demand"));
	assert_non_null(strstr(text, "Failed: 1 mismatch in a cell<"));
	assert_non_null(strstr(text, "seen <b>WB</b>, expected <b>WC</b>"));
	assert_int_equal(count(text, "<i class=x title="), 2);
	assert_int_equal(count(text, "<div"), count(text, "</div>"));
	free(text);
}

/* Also for a machine without anything. */
static void test_page_empty(void **state)
{
	struct folder *folder = *state;
	char *text;

	folder_read(folder);
	text = printed(folder, page_print);
	assert_non_null(strstr(text, "Failed: 2 other problems"));
	assert_non_null(strstr(text, "no cells: nothing was tested"));
	assert_int_equal(count(text, "<div"), count(text, "</div>"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ktap, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_ktap_hostile, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_json_cells, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_json_hostile, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_json_empty, folder_setup, folder_teardown),
		cmocka_unit_test(test_strings),
		cmocka_unit_test_setup_teardown(test_page_hostile, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_page, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_page_empty, folder_setup, folder_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
