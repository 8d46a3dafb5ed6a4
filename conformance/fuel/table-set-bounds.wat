;; `table.set` at the end of a table, and beyond.
(component
  (core module $m
    (table 4 funcref)
    (elem $s func $run)
    (func $run (export "run") (param $n i32) (result i32)
      (table.set (local.get $n) (ref.null func))
      (table.size)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
