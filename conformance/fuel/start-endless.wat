;; A start function that never ends.
(component
  (core module $m
    (func $start (loop $l (br $l)))
    (start $start)
    (func (export "run") (param $n i32) (result i32) (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
