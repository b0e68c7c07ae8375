package main

import "google.golang.org/protobuf/encoding/protowire"

// Kinds of messages (chaincode_shim.proto, ChaincodeMessage.Type).
const (
	register    = 1
	initialize  = 3
	transaction = 5
	completed   = 6
	failure     = 7
	getState    = 8
	putState    = 9
	response    = 13
)

// message is a protos.ChaincodeMessage, as far as it is needed.
type message struct {
	kind                 uint64
	payload              []byte
	transaction, channel string
}

// wire is the codec of messages.
type wire struct{}

func (wire) Name() string { return "proto" }

func (wire) Marshal(value any) ([]byte, error) {
	out := value.(*message)
	data := append(number(1, out.kind), field(3, string(out.payload))...)
	data = append(data, field(4, out.transaction)...)
	return append(data, field(7, out.channel)...), nil
}

func (wire) Unmarshal(data []byte, value any) error {
	in := value.(*message)
	for len(data) > 0 {
		id, kind, length := protowire.ConsumeTag(data)
		if length < 0 {
			return protowire.ParseError(length)
		}
		data = data[length:]
		if kind == protowire.VarintType && id == 1 {
			in.kind, length = protowire.ConsumeVarint(data)
		} else if kind == protowire.BytesType {
			var content []byte
			content, length = protowire.ConsumeBytes(data)
			switch id {
			case 3:
				in.payload = append([]byte(nil), content...)
			case 4:
				in.transaction = string(content)
			case 7:
				in.channel = string(content)
			}
		} else {
			length = protowire.ConsumeFieldValue(id, kind, data)
		}
		if length < 0 {
			return protowire.ParseError(length)
		}
		data = data[length:]
	}
	return nil
}

func number(id protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, id, protowire.VarintType), value)
}

func field(id protowire.Number, content string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, id, protowire.BytesType), content)
}

// first is the first field 1 of a protos.ChaincodeInput: the function's name.
func first(input []byte) string {
	id, kind, length := protowire.ConsumeTag(input)
	if length < 0 || id != 1 || kind != protowire.BytesType {
		return ""
	}
	content, _ := protowire.ConsumeBytes(input[length:])
	return string(content)
}
