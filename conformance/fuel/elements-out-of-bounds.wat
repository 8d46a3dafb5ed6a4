;; So is an element segment.
(component
  (core module $m
    (table 1 funcref)
    (elem (i32.const 1) $run)
    (func $run (export "run") (param $n i32) (result i32) (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
