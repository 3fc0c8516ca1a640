"""A source includes no header of ours and no common one of the standard of which it uses no name.
includes.py ROOT

Names are compared as texts, after comments and literals are gone. A header's own names are what it
declares at the scope of a namespace, and macros; where others declare one of its classes beforehand
(`class X;`), the class's members count, too. `// IWYU pragma: export` behind an include of a header
makes the other's names its own, and `// IWYU pragma: keep` excuses an include.
"""

import re
import sys
from functools import cache
from pathlib import Path

from sources import code_of, includes, report, sources

# What shows that a header is used; most are names of std. Headers that are not here are not checked.
STANDARD = {
    "algorithm": r"all_of any_of none_of for_each\w* find find_if\w* find_end find_first_of "
                 r"adjacent_find count count_if mismatch equal search\w* copy copy_\w+ move "
                 r"move_backward fill fill_n transform generate\w* remove remove_\w+ replace\w* swap "
                 r"swap_ranges reverse\w* rotate\w* shuffle unique\w* partition\w* is_partitioned "
                 r"stable_\w+ sort\w* partial_sort\w* is_sorted\w* nth_element lower_bound upper_bound "
                 r"binary_search equal_range merge inplace_merge includes set_\w+ is_heap \w+_heap "
                 r"max min minmax \w+_element clamp lexicographical_compare\w* \w+_permutation "
                 r"contains ranges",
    "array": r"array to_array",
    "atomic": r"atomic\w* memory_order\w*",
    "bit": r"bit_cast has_single_bit bit_ceil bit_floor bit_width rotl rotr count\w+_\w+ popcount endian",
    "bitset": r"bitset",
    "charconv": r"from_chars\w* to_chars\w* chars_format",
    "chrono": r"chrono \d+(ms|s|us|ns|min|h)",
    "cmath": r"\w*(sqrt|pow|exp|exp2|expm1|log|log2|log10|log1p|sin|cos|tan|sinh|cosh|tanh|asin|acos|"
             r"atan|atan2|floor|ceil|round|lround|llround|trunc|rint|lrint|llrint|nearbyint|fabs|abs|"
             r"fmod|remainder|hypot|isnan|isinf|isfinite|signbit|copysign|nextafter|ldexp|frexp|erf|"
             r"cbrt|fmin|fmax|lerp|scalbn|ilogb)f?l? M_PI NAN INFINITY HUGE_VAL \w*modf",
    "condition_variable": r"condition_variable\w* cv_status",
    "csignal": r"signal raise sig_atomic_t sigaction sigset_t SIG\w+ kill",
    "cstdint": r"u?int(8|16|32|64|max|ptr|_fast\d+|_least\d+)_t U?INT\w+",
    "cstdio": r"FILE \w*printf \w*scanf f?put[cs] fputs fopen fclose fread fwrite fflush fileno std(in|out|err) "
              r"getline rename remove EOF perror getc fgets fseek ftell SEEK_\w+ rewind tmpfile",
    "cstdlib": r"getenv setenv unsetenv exit _exit abort strto\w+ ato[filq]+ malloc calloc realloc free "
               r"system abs labs llabs EXIT_\w+ size_t quick_exit aligned_alloc posix_memalign mkd?s?temp "
               r"atexit rand srand div realpath",
    "cstring": r"mem(cpy|cmp|set|move|chr|mem) str\w+",
    "deque": r"deque",
    "exception": r"exception\w* current_exception rethrow_exception make_exception_ptr terminate "
                 r"uncaught_exceptions nested_exception",
    "filesystem": r"filesystem fs",
    "fstream": r"[io]?fstream filebuf",
    "functional": r"function hash less greater equal_to plus minus multiplies invoke bind bind_front ref "
                  r"cref mem_fn not_fn reference_wrapper logical_\w+ placeholders less_equal greater_equal",
    "future": r"future promise async packaged_task shared_future launch",
    "initializer_list": r"initializer_list",
    "iomanip": r"setw setprecision setfill setbase put_time get_time quoted",
    "iostream": r"cout cerr clog cin",
    "iterator": r"iterator\w* \w+_iterator\w* \w*inserter next prev advance distance begin end rbegin "
                r"rend cbegin cend size ssize data empty \w+_iterator_tag istreambuf_iterator",
    "limits": r"numeric_limits",
    "list": r"list",
    "map": r"map multimap",
    "memory": r"\w+_ptr make_unique\w* make_shared\w* allocator\w* addressof enable_shared_from_this "
              r"default_delete destroy\w* uninitialized_\w+ construct_at assume_aligned align "
              r"\w+_pointer_cast to_address",
    "mutex": r"\w*mutex \w+_lock lock_guard once_flag call_once lock try_lock defer_lock adopt_lock",
    "new": r"bad_alloc align_val_t nothrow launder new hardware_\w+",
    "numbers": r"numbers",
    "numeric": r"accumulate reduce transform_reduce inner_product iota partial_sum gcd lcm midpoint "
               r"adjacent_difference (in|ex)clusive_scan transform_\w+",
    "optional": r"optional nullopt make_optional",
    "ostream": r"ostream endl flush",
    "queue": r"queue priority_queue",
    "random": r"mt19937\w* \w+_distribution random_device \w+_engine",
    "ranges": r"ranges views",
    "ratio": r"ratio milli micro nano",
    "regex": r"regex\w* smatch cmatch sregex\w+",
    "set": r"set multiset",
    "shared_mutex": r"shared_(timed_)?mutex shared_lock",
    "span": r"span as_bytes as_writable_bytes dynamic_extent",
    "sstream": r"[io]?stringstream stringbuf",
    "stdexcept": r"(runtime|logic|range|overflow|underflow|domain)_error invalid_argument out_of_range "
                 r"length_error",
    "stop_token": r"stop_\w+",
    "string": r"w?string u\d+string to_string sto\w+ getline char_traits",
    "string_view": r"w?string_view sv",
    "system_error": r"system_error error_code errc \w+_category error_condition make_error_\w+",
    "thread": r"j?thread this_thread",
    "tuple": r"tuple\w* tie make_tuple forward_as_tuple apply get ignore",
    "type_traits": r"(is|has|add|remove|make)_\w+ \w+_[tv] enable_if\w* conditional\w* decay\w* "
                   r"underlying_type\w* common_type\w* invoke_result\w* integral_constant true_type "
                   r"false_type declval",
    "unordered_map": r"unordered_(multi)?map",
    "unordered_set": r"unordered_(multi)?set",
    "utility": r"move forward pair make_pair exchange swap index_sequence\w* make_\w*sequence\w* "
               r"integer_sequence as_const declval in_place\w* piecewise_construct cmp_\w+ in_range get "
               r"unreachable to_underlying",
    "variant": r"variant\w* visit get get_if holds_alternative monostate",
    "vector": r"vector",
}
STANDARD = {header: re.compile(r"\b(" + "|".join(names.split()) + r")\b")
            for header, names in STANDARD.items()}
KEYWORDS = set("""if for while switch return sizeof alignof decltype static_assert operator catch noexcept
    alignas defined template typename class struct enum const constexpr inline explicit delete default
    namespace using public private protected virtual override final static extern friend mutable auto
    void bool char int float double unsigned signed long short requires concept""".split())
OUTER = re.compile(r"\s*(inline\s+)?(namespace\b[^;={]*|extern\s*\"\")$")


def scopes(code):
    """(text at the scope of namespaces, [(head of a class, its body)])."""
    outer, classes, heads = [], [], []
    stack = []  # of open braces: whether each is a namespace's
    last = 0
    for match in re.finditer(r"[{};]", code):
        piece, mark = code[last:match.start()], match.group()
        last = match.end()
        at_outer = all(stack)
        if mark == "{":
            opens_namespace = at_outer and bool(OUTER.match(piece.rsplit("\n", 1)[-1]))
            if at_outer and not opens_namespace:
                outer.append(piece + ";")
                heads.append((piece, last))
            stack.append(opens_namespace)
        elif mark == "}":
            if stack:
                was_namespace = stack.pop()
                if not was_namespace and all(stack) and heads:
                    head, begin = heads.pop()
                    classes.append((head, code[begin:match.start()]))
        elif at_outer:
            outer.append(piece + ";")
    return outer, classes


def names_in(piece):
    """What a declaration at the scope of a namespace, without its body, declares."""
    piece = re.sub(r"^\s*#[^\n]*(\\\n[^\n]*)*", "", piece, flags=re.MULTILINE)
    piece = re.sub(r"\[\[.*?\]\]", "", piece)
    found = set(re.findall(r"\b(?:class|struct|union|enum(?:\s+class|\s+struct)?|concept)\s+(?:\w+::)*(\w+)",
                           piece))
    found |= set(re.findall(r"\busing\s+(\w+)\s*=", piece))
    found |= set(re.findall(r"\busing\s+(?:\w+::)+(\w+)\s*;", piece))
    found |= set(re.findall(r"\btypedef\b.*?(\w+)\s*;", piece, re.DOTALL))
    found |= set(re.findall(r"\b(\w+)\s*\(", piece))          # functions, and macros that declare
    found |= set(re.findall(r"\b(\w+)\s*(?:\[[^\]]*\]\s*)?(?:=|;)", piece))  # variables
    for name in re.findall(r"\bTORCH_MODULE(?:_IMPL)?\s*\(\s*(\w+)", piece):
        found |= {name, name + "Impl"}
    return {name for name in found - KEYWORDS if not name[0].isdigit()}


class Tree:
    def __init__(self, root):
        self.root = Path(root)
        self.paths = sources(root)
        self.known = set(self.paths)

    @cache
    def text(self, path):
        return (self.root / path).read_text("utf-8")

    @cache
    def code(self, path):
        return re.sub(r"^\s*#\s*include[^\n]*", "", code_of(self.text(path)), flags=re.MULTILINE)

    @cache
    def words(self, path):
        return set(re.findall(r"\b[A-Za-z_]\w*", self.code(path)))

    @cache
    def declared_before(self):
        """Classes that some file names without defining them."""
        return {name for path in self.paths
                for name in re.findall(r"^\s*(?:class|struct)\s+(\w+);", self.code(path), re.MULTILINE)}

    def resolve(self, including, what):
        """Which of the tree's files an include means; None: none of them."""
        for candidate in (including.parent / what, Path("include") / what, Path("src") / what,
                          Path("tests") / what, Path("src/kernels") / what):
            if candidate in self.known:
                return candidate
        return None

    @cache
    def names(self, header):
        code = self.code(header)
        outer, classes = scopes(code)
        found = set(re.findall(r"^\s*#\s*define\s+(\w+)", code, re.MULTILINE))
        for piece in outer:
            found |= names_in(piece)
        for head, body in classes:
            if re.search(r"\benum\b[^()]*$", head):
                found |= set(re.findall(r"(?:^|,)\s*(\w+)", body))
            own = re.search(r"\b(enum|class|struct)\b(?:\s+class)?\s+(?:\w+::)*(\w+)[^()]*$", head)
            if own and own.group(1) != "enum" and own.group(2) in self.declared_before():
                found |= set(re.findall(r"\b(\w+)\s*[(;={]", body)) - KEYWORDS
            # What is called by no name: formatters, hashes, operators, conversions.
            if re.search(r"\btemplate\s*<\s*>", head):
                found.add("*")
        if re.search(r"\boperator\s*[^\w\s(]", "".join(outer)):
            found.add("*")
        for line in self.text(header).splitlines():
            if "IWYU pragma: export" in line and (match := includes(line)):
                if other := self.resolve(header, match[0][1]):
                    found |= self.names(other)
        return found

    def is_own(self, path, header):
        """y.cpp and y_test.cpp include y.h, whatever they use of it."""
        return path.suffix != ".h" and path.stem.removesuffix("_test") == header.stem

    def faults(self):
        for path in self.paths:
            lines = self.text(path).splitlines()
            for number, what in includes(self.text(path)):
                if "IWYU pragma" in lines[number - 1]:
                    continue
                header = self.resolve(path, what)
                if header is not None and header.suffix == ".h" and not header.stem.endswith("-inl"):
                    names = self.names(header)
                    used = self.is_own(path, header) or "*" in names or names & self.words(path)
                elif what in STANDARD:
                    used = STANDARD[what].search(self.code(path))
                else:
                    continue
                if not used:
                    yield f"{path}:{number}: includes {what} and uses no name of it"


if __name__ == "__main__":
    sys.exit(report(list(Tree(sys.argv[1]).faults())))
