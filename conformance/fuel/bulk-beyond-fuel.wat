;; Bulk operators are paid for before they work, so that what cannot be paid does nothing.
(component
  (core module $m
    (memory 1000)
    (func (export "run") (param $n i32) (result i32) (memory.fill (i32.const 0) (i32.const 1) (local.get $n)) (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
