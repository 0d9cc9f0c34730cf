//! `secret extract` of values that stand in blocks, lists and maps.

use super::{get, quickstart};

#[test]
fn e2_11_a_reference_stands_where_the_whole_block_stood() {
    let shell = quickstart();
    std::fs::create_dir_all(shell.folder.join("connectors")).unwrap();
    let secret = |field: char| format!("\"{field}\": {{\"writeOnly\": true}}");
    let secrets = ('a'..='i').map(secret).collect::<Vec<_>>().join(", ");
    let config = format!("{{\"type\": \"object\", \"properties\": {{{secrets}}}}}");
    let lab = format!(
        "{{\"type\": \"object\", \"properties\": {{\"auth\": {{\"type\": \"object\"}}, \"config\": {config}}}}}"
    );
    shell.put("connectors/lab.json", &lab);
    let header = "connector: lab\nconfig:\n";
    let fields = [
        ("a: |\n    otter-a\n    otter-a\n", "a: ${{ secrets.BLOCKS_A }}\n", "otter-a\notter-a\n"),
        ("b: |+\n    otter-b\n\n", "b: ${{ secrets.BLOCKS_B }}\n\n", "otter-b\n\n"),
        ("c: |2\n     otter-c\n", "c: ${{ secrets.BLOCKS_C }}\n", " otter-c\n"),
        ("d: >2+\n    otter-d\n    otter-d\n", "d: ${{ secrets.BLOCKS_D }}\n", "otter-d otter-d\n"),
        ("e: |-\n    otter-e\n", "e: ${{ secrets.BLOCKS_E }}\n", "otter-e"),
        ("f: | # why\n    otter-f\n", "f: ${{ secrets.BLOCKS_F }} # why\n", "otter-f\n"),
        ("g:   >\n    otter-g\n", "g:   ${{ secrets.BLOCKS_G }}\n", "otter-g\n"),
        (
            "h:\n    - otter-h\n    - |\n      otter-hh\n",
            "h:\n    - ${{ secrets.BLOCKS_H }}\n    - ${{ secrets.BLOCKS_H_2 }}\n",
            "",
        ),
        ("i: {x: otter-i}\n", "i: {x: \"${{ secrets.BLOCKS_I }}\"}\n", "otter-i"),
    ];
    let written: String = fields.iter().map(|(written, ..)| format!("  {written}")).collect();
    let expected: String = fields.iter().map(|(_, expected, _)| format!("  {expected}")).collect();
    shell.put("connections/blocks.yaml", &format!("{header}{written}"));
    shell.ok(&["secret", "extract"]);
    assert_eq!(shell.read("connections/blocks.yaml"), format!("{header}{expected}"));
    for (name, (_, _, value)) in ["A", "B", "C", "D", "E", "F", "G"].into_iter().zip(fields) {
        assert_eq!(get(&shell, &format!("BLOCKS_{name}"), "dev"), value, "{name}");
    }
}
