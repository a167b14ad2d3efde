package rpc

import (
	"context"

	pb "aetherion/trading/gen/aetherion/v1"
)

type venueService struct {
	pb.UnimplementedVenueServiceServer
	*Server
}

// DescribeVenue knows the venues of the replayed data set, which the simulated venue stands for.
func (s venueService) DescribeVenue(_ context.Context, r *pb.DescribeVenueRequest) (*pb.DescribeVenueResponse, error) {
	for i := range s.session.Instruments {
		if s.session.Instruments[i].Venue() == r.GetVenue() {
			return s.describe(r.GetVenue()), nil
		}
	}
	return nil, notFound("venue: there is no venue %q", r.GetVenue())
}

func (s venueService) describe(venue string) *pb.DescribeVenueResponse {
	return &pb.DescribeVenueResponse{
		Venue:    venue,
		OrdTypes: []pb.OrdType{pb.OrdType_ORD_TYPE_MARKET, pb.OrdType_ORD_TYPE_LIMIT},
		TimeInForces: []pb.TimeInForce{
			pb.TimeInForce_TIME_IN_FORCE_DAY, pb.TimeInForce_TIME_IN_FORCE_GTC,
			pb.TimeInForce_TIME_IN_FORCE_IOC, pb.TimeInForce_TIME_IN_FORCE_FOK,
		},
		Simulated:         true,
		MaxVolumeShareBps: s.session.MaxVolumeShareBps,
	}
}
