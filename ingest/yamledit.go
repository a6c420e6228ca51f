package ingest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A YAMLFile is a text in YAML that is changed value by value: all else, comments and layout, stays as it is.
type YAMLFile struct {
	name string
	text string
}

// ParseYAML reads a text to be changed.
func ParseYAML(name string, text []byte) (*YAMLFile, error) {
	f := &YAMLFile{name, string(text)}
	_, err := f.root()
	return f, err
}

// Bytes is the text as it stands.
func (f *YAMLFile) Bytes() []byte { return []byte(f.text) }

// Value is what the text says: mappings are [yaml.MapSlice], in the order of the text; nil for an empty one.
func (f *YAMLFile) Value() (any, error) {
	var v any
	err := yaml.UnmarshalWithOptions([]byte(f.text), &v, yaml.UseOrderedMap())
	if err != nil {
		return nil, yamlError(f.name, err)
	}
	return v, nil
}

func (f *YAMLFile) root() (ast.Node, error) {
	file, err := parser.ParseBytes([]byte(f.text), 0)
	if err != nil {
		return nil, yamlError(f.name, err)
	}
	if len(file.Docs) > 1 {
		return nil, fmt.Errorf("%s: several documents (---): keep one", f.name)
	}
	if len(file.Docs) == 0 {
		return nil, nil
	}
	switch file.Docs[0].Body.(type) {
	case *ast.NullNode, *ast.CommentGroupNode:
		return nil, nil
	}
	return file.Docs[0].Body, nil
}

// Set gives a value to a place: names of keys and positions in lists, from the top. A nil value takes the place away; a
// position after the last one adds to the list. Values are texts, numbers, booleans, lists and [yaml.MapSlice]. What is written is read again:
// a text in which the change cannot be made without touching the rest is left as it was, and the error says so.
func (f *YAMLFile) Set(value any, path ...any) error {
	before := f.text
	old, err := f.Value()
	if err != nil {
		return err
	}
	if err = f.set(value, path...); err == nil {
		var now any
		if now, err = f.Value(); err == nil && canonical(now) == canonical(change(old, value, path)) {
			return nil
		}
		at := make([]string, len(path))
		for i, step := range path {
			at[i] = fmt.Sprint(step)
		}
		err = fmt.Errorf("%s: %s: the text is written in a way that does not let it be changed alone: change it by hand", f.name, strings.Join(at, "."))
	}
	f.text = before
	return err
}

// canonical writes a value so that two that say the same are alike, however they were made; what is empty says nothing.
func canonical(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return strconv.Quote(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return canonical(list)
	case []any:
		if len(v) == 0 {
			return "-"
		}
		out := make([]string, len(v))
		for i, x := range v {
			out[i] = canonical(x)
		}
		return "[" + strings.Join(out, ",") + "]"
	case yaml.MapSlice:
		if len(v) == 0 {
			return "-"
		}
		out := make([]string, len(v))
		for i, kv := range v {
			out[i] = fmt.Sprintf("%q:%s", fmt.Sprint(kv.Key), canonical(kv.Value))
		}
		return "{" + strings.Join(out, ",") + "}"
	}
	return fmt.Sprint(v)
}

func (f *YAMLFile) set(value any, path ...any) error {
	root, err := f.root()
	if err != nil {
		return err
	}
	if root == nil {
		if value == nil {
			return nil
		}
		if f.text != "" && !strings.HasSuffix(f.text, "\n") {
			f.text += "\n"
		}
		if _, list := path[0].(int); list {
			f.text += item("", nest(value, path[1:]))
		} else {
			f.text += fmt.Sprintf("%s: %s\n", scalar(path[0].(string)), Flow(nest(value, path[1:])))
		}
		return nil
	}
	node := root
	for k, step := range path {
		if flow(node) && k > 0 {
			whole, err := f.at(path[:k])
			if err != nil {
				return err
			}
			return f.set(change(whole, value, path[k:]), path[:k]...)
		}
		last := k == len(path)-1
		switch step := step.(type) {
		case string:
			entries := pairs(node)
			if len(entries) == 0 {
				return fmt.Errorf("%s: %v: keys with their values are expected there", f.name, path[:k])
			}
			i := slices.IndexFunc(entries, func(kv *ast.MappingValueNode) bool { return kv.Key.GetToken().Value == step })
			switch {
			case i < 0 && value == nil:
				return nil
			case i < 0 || last:
				return f.setKey(entries, i, step, nestOrNil(value, path[k+1:]))
			}
			node = entries[i].Value
		case int:
			list, ok := node.(*ast.SequenceNode)
			if !ok || flow(list) || len(list.Values) == 0 || step < 0 {
				return fmt.Errorf("%s: %v: not a list in lines", f.name, path[:k])
			}
			switch {
			case step == len(list.Values):
				return f.addItem(list, nest(value, path[k+1:]))
			case step > len(list.Values):
				return fmt.Errorf("%s: %v: the list has %d items", f.name, path[:k+1], len(list.Values))
			case last:
				return f.setItem(list, step, value)
			}
			node = list.Values[step]
		}
	}
	return nil
}

// nest wraps a value in the keys and lists that lead to it.
func nest(value any, path []any) any {
	for _, step := range slices.Backward(path) {
		if key, ok := step.(string); ok {
			value = yaml.MapSlice{{Key: key, Value: value}}
		} else {
			value = []any{value}
		}
	}
	return value
}

func nestOrNil(value any, path []any) any {
	if value == nil {
		return nil
	}
	return nest(value, path)
}

// at is the value at a place.
func (f *YAMLFile) at(path []any) (any, error) {
	v, err := f.Value()
	for _, step := range path {
		switch in := v.(type) {
		case yaml.MapSlice:
			v = nil
			for _, kv := range in {
				if fmt.Sprint(kv.Key) == step {
					v = kv.Value
				}
			}
		case []any:
			if i, ok := step.(int); ok && i < len(in) {
				v = in[i]
			} else {
				v = nil
			}
		}
	}
	return v, err
}

// change gives a value to a place inside another.
func change(in, value any, path []any) any {
	if len(path) == 0 {
		return value
	}
	if in == nil && value == nil {
		return nil
	}
	switch step := path[0].(type) {
	case string:
		m, _ := in.(yaml.MapSlice)
		m = slices.Clone(m)
		i := slices.IndexFunc(m, func(kv yaml.MapItem) bool { return fmt.Sprint(kv.Key) == step })
		switch {
		case i < 0 && value != nil:
			m = append(m, yaml.MapItem{Key: step, Value: nest(value, path[1:])})
		case i >= 0 && value == nil && len(path) == 1:
			m = slices.Delete(m, i, i+1)
		case i >= 0:
			m[i].Value = change(m[i].Value, value, path[1:])
		}
		return m
	case int:
		list, _ := in.([]any)
		list = slices.Clone(list)
		switch {
		case step == len(list) && value != nil:
			list = append(list, nest(value, path[1:]))
		case step < len(list) && value == nil && len(path) == 1:
			list = slices.Delete(list, step, step+1)
		case step < len(list):
			list[step] = change(list[step], value, path[1:])
		}
		return list
	}
	return in
}

func flow(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.IsFlowStyle
	case *ast.SequenceNode:
		return n.IsFlowStyle
	case *ast.MappingValueNode:
		return n.IsFlowStyle
	}
	return node != nil && len(pairs(node)) == 0 && node.Type() != ast.SequenceType // a scalar in the way is replaced whole
}

// setKey changes, adds or takes away an entry of a mapping in block style.
func (f *YAMLFile) setKey(entries []*ast.MappingValueNode, i int, key string, value any) error {
	lines := strings.SplitAfter(f.text, "\n")
	if i < 0 { // after the last entry
		at := entries[len(entries)-1].Key.GetToken().Position
		_, end := f.region(lines, at.Line, at.Column)
		if !strings.HasSuffix(lines[end-1], "\n") {
			lines[end-1] += "\n"
		}
		f.text = strings.Join(slices.Insert(lines, end, strings.Repeat(" ", at.Column-1)+scalar(key)+": "+Flow(value)+"\n"), "")
		return nil
	}
	at := entries[i].Key.GetToken().Position
	start, end := f.region(lines, at.Line, at.Column)
	first := lines[start]
	if at.Column-1 > len(first) {
		return fmt.Errorf("%s:%d: %s: not at the place where a key is expected: change it by hand", f.name, at.Line, key)
	}
	if value == nil {
		if strings.TrimSpace(first[:at.Column-1]) != "" || len(entries) == 1 {
			return fmt.Errorf("%s:%d: %s: cannot be taken away: it begins an item", f.name, at.Line, key)
		}
		f.text = strings.Join(slices.Delete(lines, start, end), "")
		return nil
	}
	comment := ""
	if end == start+1 {
		comment = trailingComment(strings.TrimRight(first, "\r\n"))
	}
	ending := "\n"
	if strings.HasSuffix(first, "\r\n") {
		ending = "\r\n"
	}
	f.text = strings.Join(slices.Replace(lines, start, end, first[:at.Column-1]+scalar(key)+": "+Flow(value)+comment+ending), "")
	return nil
}

// setItem changes or takes away an item of a list in block style.
func (f *YAMLFile) setItem(list *ast.SequenceNode, i int, value any) error {
	lines := strings.SplitAfter(f.text, "\n")
	line, dash, err := f.itemLine(lines, list, i)
	if err != nil {
		return err
	}
	start, end := f.region(lines, line, dash+2)
	if value == nil {
		for start > 0 && i > 0 && strings.TrimSpace(lines[start-1]) == "" && end < len(lines) && strings.TrimSpace(lines[end]) == "" {
			start-- // one blank line between items, not two
		}
		f.text = strings.Join(slices.Delete(lines, start, end), "")
		return nil
	}
	f.text = strings.Join(slices.Replace(lines, start, end, item(strings.Repeat(" ", dash), value)), "")
	return nil
}

// itemLine is the line an item of a list in block style begins on, and where its dash is; an item that is not on the line of its dash is
// not one that can be changed alone.
func (f *YAMLFile) itemLine(lines []string, list *ast.SequenceNode, i int) (line, dash int, err error) {
	line, _ = place(list.Values[i])
	if line >= 1 && line <= len(lines) {
		dash = strings.Index(lines[line-1], "-")
		if dash >= 0 && strings.TrimSpace(lines[line-1][:dash]) == "" {
			return line, dash, nil
		}
	}
	return 0, 0, fmt.Errorf("%s:%d: an item that does not begin on the line of its dash: write the two on one line", f.name, line)
}

func (f *YAMLFile) addItem(list *ast.SequenceNode, value any) error {
	lines := strings.SplitAfter(f.text, "\n")
	n := len(list.Values)
	line, dash, err := f.itemLine(lines, list, n-1)
	if err != nil {
		return err
	}
	_, end := f.region(lines, line, dash+2)
	if !strings.HasSuffix(lines[end-1], "\n") {
		lines[end-1] += "\n"
	}
	text := item(strings.Repeat(" ", dash), value)
	if n > 1 {
		if before, _ := place(list.Values[n-2]); before > 0 && line > 1 && strings.TrimSpace(lines[line-2]) == "" {
			text = "\n" + text // as the items before
		}
	}
	f.text = strings.Join(slices.Insert(lines, end, text), "")
	return nil
}

// item writes an item of a list in block style: a mapping has a line an entry.
func item(indent string, value any) string {
	m, ok := value.(yaml.MapSlice)
	if !ok || len(m) == 0 {
		return indent + "- " + Flow(value) + "\n"
	}
	var b strings.Builder
	for k, kv := range m {
		lead := "  "
		if k == 0 {
			lead = "- "
		}
		fmt.Fprintf(&b, "%s%s%s: %s\n", indent, lead, scalar(fmt.Sprint(kv.Key)), Flow(kv.Value))
	}
	return b.String()
}

// place is the line and the column where a node begins.
func place(node ast.Node) (line, column int) {
	for _, kv := range pairs(node) {
		if at := kv.Key.GetToken().Position; line == 0 || at.Line < line {
			line, column = at.Line, at.Column
		}
	}
	if at := node.GetToken().Position; line == 0 || at.Line < line {
		line, column = at.Line, at.Column
	}
	return line, column
}

// region is the lines of what begins on a line at a column: those below that are further in, less the blank lines and
// comments at the end, which speak of what follows.
func (f *YAMLFile) region(lines []string, line, column int) (start, end int) {
	start, end = line-1, line
	for i := line; i < len(lines); i++ {
		text := strings.TrimRight(lines[i], "\r\n")
		inner := strings.TrimLeft(text, " ")
		indent := len(text) - len(inner)
		switch {
		case inner == "" || inner[0] == '#':
			continue
		case indent >= column || indent == column-1 && strings.HasPrefix(inner, "- "):
			end = i + 1
		default:
			return start, end
		}
	}
	return start, end
}

// trailingComment is the comment at the end of a line, with the blanks before it.
func trailingComment(line string) string {
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' && (i == 0 || strings.IndexByte(" [{,:", line[i-1]) >= 0):
			quote = c
		case c == '#' && i > 0 && line[i-1] == ' ':
			return line[len(strings.TrimRight(line[:i], " ")):]
		}
	}
	return ""
}

var plain = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_./%€()'’ -]*$`)

// scalar writes a text: as it is where nothing else can be understood, quoted else.
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan":
	default:
		if plain.MatchString(s) && s == strings.TrimSpace(s) {
			return s
		}
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a text always has a writing
	return strings.TrimSuffix(b.String(), "\n")
}

// Flow writes a value on one line of YAML.
func Flow(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return scalar(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []string:
		out := make([]string, len(v))
		for i, s := range v {
			out[i] = scalar(s)
		}
		return "[" + strings.Join(out, ", ") + "]"
	case []any:
		out := make([]string, len(v))
		for i, x := range v {
			out[i] = Flow(x)
		}
		return "[" + strings.Join(out, ", ") + "]"
	case yaml.MapSlice:
		out := make([]string, len(v))
		for i, kv := range v {
			out[i] = Flow(kv.Key) + ": " + Flow(kv.Value)
		}
		return "{" + strings.Join(out, ", ") + "}"
	}
	return fmt.Sprint(v)
}
